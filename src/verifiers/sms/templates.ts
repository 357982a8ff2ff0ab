/** The names under which a carrier approved our templates: one for each kind of text and language. */
import { PeerFailure } from '#src/peers/signed-http.ts'
import type { SmsText } from './gateway.ts'

export interface Templates {
  /** @throws PeerFailure for a text the carrier has no template of */
  of(template: SmsText['template'], locale: SmsText['locale']): string
}

type Names = { readonly [template: string]: { readonly zh: string; readonly en: string } }

export const templatesFrom = (names: Names): Templates => ({
  of(template, locale) {
    const name = names[template]?.[locale]
    if (name === undefined) throw new PeerFailure(`no template ${template}`)
    return name
  },
})
