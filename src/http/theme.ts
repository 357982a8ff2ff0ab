/** What the settings say of the city's look: its accent colour and its emblem, as files the pages link to. */
import { resolve } from 'node:path'
import { Router } from 'express'

interface Look {
  readonly accent: string
  readonly emblem: string
}

/** The accent mixed with white, bright enough to read on a dark page. */
function lighter(accent: string): string {
  const channels = [1, 3, 5].map((at) => parseInt(accent.slice(at, at + 2), 16))
  return `#${channels
    .map((value) =>
      Math.round(value + (255 - value) * 0.62)
        .toString(16)
        .padStart(2, '0'),
    )
    .join('')}`
}

export function theme({ accent, emblem }: Look): Router {
  const router = Router()
  const css = `:root{--accent:${accent};--accent-light:${lighter(accent)}}\n`
  const cached = { 'cache-control': 'public, max-age=3600' }
  router.get('/theme.css', (_request, response) => response.set(cached).type('css').send(css))
  router.get('/emblem.svg', (_request, response) => response.set(cached).sendFile(resolve(emblem)))
  return router
}
