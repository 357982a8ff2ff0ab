/**
 * What the settings say of the city's look: its accent colour and its emblem, as files the pages link to. Whatever
 * colour a city chooses, text in it keeps the contrast of WCAG 2.1 §1.4.3 on light and dark pages.
 */
import { resolve } from 'node:path'
import { Router } from 'express'

interface Look {
  readonly accent: string
  readonly emblem: string
}

type Colour = readonly [number, number, number]

const parse = (hex: string): Colour => [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16)) as unknown as Colour
const format = (colour: Colour): string => `#${colour.map((part) => part.toString(16).padStart(2, '0')).join('')}`

/** WCAG 2.1, "relative luminance". */
function luminance(colour: Colour): number {
  const [red, green, blue] = colour.map((part) => {
    const share = part / 255
    return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4
  }) as unknown as Colour
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue
}

function contrast(one: Colour, other: Colour): number {
  const [bright, dark] = [luminance(one), luminance(other)].sort((a, b) => b - a) as [number, number]
  return (bright + 0.05) / (dark + 0.05)
}

/** The shaded grounds of the stylesheet, where links stand too. */
const light = parse('#f4f6f9')
const dark = parse('#1a212a')

/** The colour mixed with black or white until it can be read on the ground. */
function readable(accent: Colour, ground: Colour, towards: 0 | 255, enough: number): Colour {
  for (let share = 0; share < 1; share += 0.02) {
    const mixed = accent.map((part) => Math.round(part + (towards - part) * share)) as unknown as Colour
    if (contrast(mixed, ground) >= enough) return mixed
  }
  return [towards, towards, towards]
}

export function themeCss(accent: string): string {
  const [onLight, onDark] = [readable(parse(accent), light, 0, 5), readable(parse(accent), dark, 255, 7)]
  return `:root{--accent:${format(onLight)};--accent-light:${format(onDark)}}\n`
}

export function theme({ accent, emblem }: Look): Router {
  const router = Router()
  const css = themeCss(accent)
  const cached = { 'cache-control': 'public, max-age=3600' }
  router.get('/theme.css', (_request, response) => response.set(cached).type('css').send(css))
  router.get(['/emblem.svg', '/favicon.ico'], (_request, response) => response.set(cached).sendFile(resolve(emblem)))
  return router
}
