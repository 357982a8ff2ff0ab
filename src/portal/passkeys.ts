/**
 * 本机指纹或面容 in my account: which devices sign in for me, adding one, naming it, removing it. Adding takes a fresh
 * sign-in, since whoever adds a device of his can come back without the phone.
 */
import { Router, type Request, type Response } from 'express'
import { publicSentence } from '#src/errors.ts'
import { field, parseForm } from '#src/http/input.ts'
import type { Pages } from '#src/http/pages.ts'
import { visitOf } from '#src/http/visit.ts'
import type { Changer, Passkeys } from '#src/login/passkeys.ts'
import type { CurrentSession, Sessions } from '#src/oidc/sessions.ts'
import { passkeysCallback, selfRequest } from './self.ts'

export interface PasskeyParts {
  readonly issuer: string
  readonly pages: Pages
  readonly sessions: Pick<Sessions, 'current'>
  readonly passkeys: Passkeys
}

/** What the citizen may recognise his device by, until he names it himself: never more than its kind. */
const kinds: readonly (readonly [RegExp, string])[] = [
  [/iPad/, 'ipad'],
  [/iPhone/, 'iphone'],
  [/HarmonyOS|OpenHarmony|HUAWEI|HONOR/i, 'harmony'],
  [/Android/, 'android'],
  [/Macintosh/, 'mac'],
  [/Windows/, 'windows'],
]
const kindOf = (request: Request): string =>
  kinds.find(([pattern]) => pattern.test(request.headers['user-agent'] ?? ''))?.[1] ?? 'other'

export function passkeyPages({ issuer, pages, sessions, passkeys }: PasskeyParts): Router {
  const router = Router()

  const changerOf = (request: Request, { accountId, uid, level, since }: CurrentSession): Changer => {
    const { reference, address } = visitOf(request)
    return { person: accountId, session: uid, level, since, trail: { reference, address, channel: 'web' } }
  }

  /** Whoever is signed in with a real name, or undefined after sending him to sign in. */
  const signedIn = async (request: Request, response: Response): Promise<Changer | undefined> => {
    const current = await sessions.current(request, response)
    if (current && current.level >= 2) return changerOf(request, current)
    response.redirect(303, selfRequest(issuer, 2))
    return undefined
  }

  const ownOne = async (changer: Changer, id: string) =>
    (await passkeys.of(changer.person)).find((passkey) => passkey.id === id)

  const fault = (request: Request, code: string) => {
    const { locale, reference } = visitOf(request)
    return { code, reference, sentence: publicSentence(code, locale), mendable: false }
  }

  router.get('/me/passkeys', async (request, response) => {
    const changer = await signedIn(request, response)
    if (!changer) return
    const [list, bar] = [await passkeys.of(changer.person), await passkeys.bar(changer)]
    pages.send(request, response, { view: 'passkeys', data: { passkeys: list, full: bar === 'full' } })
  })

  router.get(passkeysCallback, (_request, response) => response.redirect(303, '/me/passkeys/new'))

  router.get('/me/passkeys/new', async (request, response) => {
    const changer = await signedIn(request, response)
    if (!changer) return
    const bar = await passkeys.bar(changer)
    if (bar === 'stale') return response.redirect(303, selfRequest(issuer, 2, passkeysCallback, true))
    if (bar !== undefined) return response.redirect(303, '/me/passkeys')
    pages.send(request, response, { view: 'passkey-new', data: { device: kindOf(request) } })
  })

  /** For the page's script, which asks the device. */
  router.post('/me/passkeys/options', parseForm, async (request, response) => {
    const current = await sessions.current(request, response)
    const begun = current ? await passkeys.begin(changerOf(request, current)) : { code: 'passkey_stale' }
    response.set('cache-control', 'no-store').json(begun)
  })

  router.post('/me/passkeys/new', parseForm, async (request, response) => {
    const changer = await signedIn(request, response)
    if (!changer) return
    const name = field(request, 'name')
    const refused = await passkeys.add(changer, field(request, 'challenge'), field(request, 'answer'), name)
    if (!refused) return response.redirect(303, '/me/passkeys')
    const data = { device: kindOf(request), name, fault: fault(request, refused.code) }
    pages.send(request, response, { view: 'passkey-new', status: 400, data })
  })

  router.get('/me/passkeys/:id', async (request, response) => {
    const changer = await signedIn(request, response)
    const passkey = changer && (await ownOne(changer, request.params.id))
    if (passkey) return pages.send(request, response, { view: 'passkey-change', data: { passkey } })
    if (changer) response.redirect(303, '/me/passkeys')
  })

  router.post('/me/passkeys/:id', parseForm, async (request, response) => {
    const changer = await signedIn(request, response)
    if (!changer) return
    const id = String(request.params['id'])
    if (field(request, 'do') === 'remove') await passkeys.remove(changer, id)
    else await passkeys.rename(changer, id, field(request, 'name'))
    response.redirect(303, '/me/passkeys')
  })

  return router
}
