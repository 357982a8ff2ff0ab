/**
 * `node src/demo/portraits/draw.ts`: draws the portraits of the demo city anew, people who never were, each as the
 * terminal's camera sees them in every pose and as the small photo on a card. Run by hand; needs Chromium.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { chromium } from 'playwright-core'

const measures = {
  ...{
    width: 88,
    height: 118,
    jaw: 0.62,
    turn: 0,
    open: 0,
    cloth: '#2b3b5c',
    hairBack: 0.98,
    fringe: 0.5,
    glasses: false,
  },
  ...{ light: '#f6d7bf', skin: '#e9bd9d', dark: '#c08d6c', hair: '#1b1412', iris: '#3a2418', lip: '#b5605a' },
  ...{ eyesApart: 0.42, eyesAt: 0.12, eyeWidth: 19, eyeHeight: 8, brow: 6, browAt: 22, noseAt: 0.28, nose: 14 },
  ...{ mouthAt: 0.58, mouthWidth: 26, upperLip: 5, lowerLip: 5 },
}

const people: Readonly<Record<string, Partial<typeof measures>>> = {
  ash: {
    ...{ width: 80, height: 122, jaw: 0.5, hairBack: 1.35, fringe: 0.6, cloth: '#a33' },
    ...{ light: '#fbe3d2', skin: '#f2cdb4', dark: '#d3a184', hair: '#4a2a18', iris: '#5a3a1e', lip: '#c8404a' },
    ...{ eyesApart: 0.45, eyeWidth: 22, eyeHeight: 10.5, brow: 4, browAt: 26, nose: 11 },
    ...{ mouthWidth: 22, upperLip: 7, lowerLip: 7 },
  },
  birch: {
    ...{ width: 84, height: 126, jaw: 0.55, hairBack: 0.8, fringe: 0.18, glasses: true, cloth: '#3c5a3c' },
    ...{ light: '#f3e2d8', skin: '#e4cbbd', dark: '#b89a8a', hair: '#e4e2de', lip: '#b08078' },
    ...{ eyesApart: 0.38, eyesAt: 0.02, eyeWidth: 15, eyeHeight: 5, brow: 5, browAt: 16, noseAt: 0.36, nose: 17 },
    ...{ mouthAt: 0.66, mouthWidth: 28, upperLip: 2, lowerLip: 3 },
  },
  cedar: {
    ...{ width: 90, height: 122, jaw: 0.6, hairBack: 0.9, fringe: 0.2 },
    ...{ light: '#7a4e36', skin: '#5d3826', dark: '#3a2116', hair: '#080606', lip: '#6b3030' },
    ...{ eyesApart: 0.46, eyeWidth: 18, brow: 7, browAt: 20, nose: 24 },
    ...{ mouthWidth: 34, upperLip: 9, lowerLip: 11 },
  },
  maple: {
    ...{ width: 98, height: 128, jaw: 0.85, fringe: 0.15, cloth: '#444' },
    ...{ light: '#fbe8da', skin: '#f4d5c2', dark: '#d8ab92', hair: '#b0641c', lip: '#c06060' },
    ...{ eyesApart: 0.4, eyesAt: 0.2, eyeWidth: 16, eyeHeight: 6, brow: 10, browAt: 18, noseAt: 0.4, nose: 19 },
    ...{ mouthAt: 0.7, mouthWidth: 31, upperLip: 4, lowerLip: 7 },
  },
}

/** Left and right are theirs: on the picture it is the other way round. */
const poses = { front: {}, left: { turn: 0.9 }, right: { turn: -0.9 }, mouth: { open: 17 } } as const
const card = { size: { width: 102, height: 126 }, quality: 0.8 } as const

const browser = await chromium.launch({
  executablePath: process.argv[2] ?? '/usr/bin/chromium',
  args: ['--no-sandbox', '--disable-gpu', '--no-first-run', '--disable-background-networking'],
})
try {
  const page = await browser.newPage()
  await page.setContent(readFileSync(join(import.meta.dirname, 'portrait.html'), 'utf8'))
  const draw = async (name: string, face: object | null, how: object = { quality: 0.85 }) => {
    const drawn = String(await page.evaluate(`draw(${JSON.stringify(face)}, ${JSON.stringify(how)})`))
    const [, base64 = ''] = drawn.split(',')
    writeFileSync(join(import.meta.dirname, `${name}.jpg`), Buffer.from(base64, 'base64'))
  }
  await draw('nobody', null)
  for (const [name, own] of Object.entries(people)) {
    for (const [pose, change] of Object.entries(poses))
      await draw(`${name}-${pose}`, { ...measures, ...own, ...change })
    await draw(`${name}-card`, { ...measures, ...own }, card)
  }
} finally {
  await browser.close()
}
