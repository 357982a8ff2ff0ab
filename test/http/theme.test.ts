import { strict as assert } from 'node:assert'
import { themeCss } from '#src/http/theme.ts'

const coloursOf = (accent: string): readonly string[] => themeCss(accent).match(/#[0-9a-f]{6}/g) ?? []

/** WCAG 2.1 contrast, reckoned here on its own. */
function contrast(one: string, other: string): number {
  const [bright, dark] = [one, other]
    .map((hex) => {
      const parts = [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16) / 255)
      const linear = parts.map((part) => (part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4))
      return 0.2126 * (linear[0] ?? 0) + 0.7152 * (linear[1] ?? 0) + 0.0722 * (linear[2] ?? 0)
    })
    .sort((a, b) => b - a) as [number, number]
  return (bright + 0.05) / (dark + 0.05)
}

describe('theme', () => {
  it('keeps an accent that can be read on white', () => {
    assert.equal(coloursOf('#0b5cad')[0], '#0b5cad')
    assert.equal(coloursOf('#c8102e')[0], '#c8102e')
  })

  it('makes any accent of a city readable on light and on dark pages', () => {
    for (const accent of ['#0b5cad', '#f5c400', '#ffffff', '#000000', '#7fd1ae', '#808080']) {
      const [onLight = '', onDark = ''] = coloursOf(accent)
      for (const ground of ['#ffffff', '#f4f6f9']) assert.ok(contrast(onLight, ground) >= 4.5, `${accent} on ${ground}`)
      for (const ground of ['#12171e', '#1a212a']) assert.ok(contrast(onDark, ground) >= 4.5, `${accent} on ${ground}`)
    }
  })
})
