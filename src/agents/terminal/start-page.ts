/**
 * The start page of a terminal and what it is made of. Both languages are in the one page, Chinese shown first, so that
 * the choice of language needs neither a request nor a cookie.
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Locale } from '#src/errors.ts'
import type { Words } from '#src/http/words.ts'
import type { AgentSettings } from './settings.ts'

type Shown = Pick<AgentSettings, 'city' | 'services' | 'accent'>

const locales = ['zh', 'en'] as const
const tag = { zh: 'zh-CN', en: 'en' } as const
const readerStates = ['ready', 'card', 'absent', 'silent'] as const

const escaped = (text: string): string => text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`)

export function startPageFiles(views: string, words: (locale: Locale) => Words, shown: Shown) {
  const read = (name: string) => readFileSync(join(views, 'terminal', name), 'utf8')
  // A dark page needs a lighter accent for what is not a surface.
  const accent = `:root{--accent:${shown.accent};--accent-ink:${shown.accent}}
@media (prefers-color-scheme:dark){:root{--accent-ink:color-mix(in srgb,${shown.accent} 45%,#fff)}}\n`
  return new Map([
    ['/', { type: 'text/html; charset=utf-8', body: startPage(words, shown) }],
    ['/terminal.css', { type: 'text/css; charset=utf-8', body: accent + read('terminal.css') }],
    ['/terminal.js', { type: 'text/javascript; charset=utf-8', body: read('terminal.js') }],
  ])
}

function startPage(words: (locale: Locale) => Words, { city, services }: Shown): string {
  const text = (locale: Locale, key: string) => escaped(words(locale)(`kiosk.${key}`))
  const both = (write: (locale: Locale) => string, element = 'span') =>
    locales.map((locale) => `<${element} lang="${tag[locale]}">${write(locale)}</${element}>`).join('')
  const said = (key: string) => both((locale) => text(locale, key))
  const title = (locale: Locale) => `${escaped(city[locale])} · ${text(locale, 'title')}`

  const service = ({ name, hint, url }: Shown['services'][number]) =>
    `<li><a href="${escaped(url)}">${both((locale) => escaped(name[locale]))}${
      hint ? both((locale) => escaped(hint[locale]), 'small') : ''
    }</a></li>`
  const state = (key: string) => `<span data-state="${key}" hidden>${said(`reader.${key}`)}</span>`

  return `<!doctype html>
<html lang="zh-CN" data-zh="${title('zh')}" data-en="${title('en')}">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark"><title>${title('zh')}</title>
<link rel="icon" href="data:,"><link rel="stylesheet" href="/terminal.css"><script src="/terminal.js" defer></script></head>
<body>
<header><p>${both(title)}</p><button type="button" id="language" lang="en" data-zh="${text('zh', 'language')}" data-en="${text('en', 'language')}">${text('zh', 'language')}</button></header>
<main><h1>${said('choose')}</h1><ul>${services.map(service).join('')}</ul>
<p role="status" id="status">${readerStates.map(state).join('')}</p></main>
<footer><p>${said('mind')}</p></footer>
<dialog id="take" aria-labelledby="take-title"><h2 id="take-title" tabindex="-1">${said('take.title')}</h2><p>${said('take.hint')}</p></dialog>
<dialog id="idle" aria-labelledby="idle-title"><h2 id="idle-title">${said('idle.title')}</h2><p>${said('idle.hint')}</p><button type="button" id="stay">${said('idle.stay')}</button></dialog>
</body></html>
`
}
