/** The words of the pages, Chinese first: `views/locales/*.json` through i18next, plurals and variables included. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInstance } from 'i18next'
import type { Locale } from '#src/errors.ts'

export type Words = (key: string, variables?: Readonly<Record<string, unknown>>) => string

/** Loads both languages; a key that is missing shows as itself, which a test refuses. */
export async function loadWords(directory: string): Promise<(locale: Locale) => Words> {
  const read = (locale: Locale): object => JSON.parse(readFileSync(join(directory, `${locale}.json`), 'utf8')) as object
  const i18n = createInstance()
  await i18n.init({
    lng: 'zh',
    fallbackLng: false,
    resources: { zh: { translation: read('zh') }, en: { translation: read('en') } },
    // The views escape what they print.
    interpolation: { escapeValue: false },
    returnNull: false,
  })
  const fixed = { zh: i18n.getFixedT('zh'), en: i18n.getFixedT('en') }
  return (locale) => (key, variables) => fixed[locale](key, { ...variables })
}
