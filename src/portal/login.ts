/**
 * The pages of signing in, one question a page (PAGES.md). Each form is answered by a redirect, so that a reload
 * repeats nothing and the way back always exists; pages that lie ahead lead to where the attempt stands.
 */
import { Router, type Request, type Response } from 'express'
import type { Config } from '#src/config.ts'
import { publicSentence } from '#src/errors.ts'
import type { DeviceCookie } from '#src/http/device.ts'
import { field, parseForm } from '#src/http/input.ts'
import { formTargetsOf } from '#src/http/security.ts'
import type { Pages } from '#src/http/pages.ts'
import { visitOf } from '#src/http/visit.ts'
import { documentKinds, isFormatOnly, type DocumentKind } from '#src/identity/id-number.ts'
import { maskName } from '#src/identity/name.ts'
import { groupPhone, maskPhone } from '#src/identity/phone.ts'
import type { Step } from '#src/login/attempt.ts'
import { reachable } from '#src/login/policy.ts'
import type { Linking } from '#src/login/linking.ts'
import type { SignIn } from '#src/login/sign-in.ts'
import type { Standing } from '#src/login/steps.ts'
import type { Visit } from '#src/login/visit.ts'
import type { Interaction, Interactions } from '#src/oidc/interaction.ts'
import { cardPrefill, prefillOf } from './card-prefill.ts'
import { methodPages, methodsShown, provePage } from './methods.ts'

export interface LoginParts {
  readonly interactions: Interactions
  readonly signIn: SignIn
  readonly pages: Pages
  readonly deviceCookie: DeviceCookie
  /** Seconds after which a page that still waits for a passkey asks for a fresh challenge. */
  readonly passkeyRenew: number
  /** Whether one that a citizen adds by himself can reach level 3. */
  readonly passkeysAddable: boolean
  readonly linking: Pick<Linking, 'isFresh'>
  /** What the settings call the methods. */
  readonly labels: Config['methods']
  /** Windows where a vendor's card reader fills in name and number. */
  readonly prefill: Config['verifiers']['idCard']['prefill']
  readonly now: () => number
}

const steps: ReadonlySet<string> = new Set<Step>([
  ...(['method', 'passkey', 'phone', 'code', 'who', 'document', 'name', 'number', 'prove', 'link'] as const),
])
const isStep = (text: string): text is Step => steps.has(text)

/** Faults that no other input would mend: the page says so, and does not point at the field. */
const beyondInput: ReadonlySet<string> = new Set([
  'verifier_unavailable',
  'document_unfit',
  'code_too_soon',
  'code_too_many',
  'code_failures_day',
  'code_busy',
  'proof_unavailable',
  'person_mismatch',
  'person_taken',
  'person_renamed',
  'person_renumbered',
  'proof_too-often',
  'method_refused',
  'method_expired',
  'method_used',
  'method_exhausted',
  'method_missing',
  'card_expired',
  'card_not-yet-valid',
  'certificate_expired',
  'certificate_not-yet-valid',
  'face_mismatch',
  'face_none',
  'face_actions-missed',
  'face_terminal',
  'consent_missing',
  'link_missing',
  'passkey_refused',
  'passkey_expired',
  'passkey_used',
  'passkey_exhausted',
])

/** Kinds whose numbers have 18 characters, shown 6-8-4. */
const coded: ReadonlySet<string> = new Set<DocumentKind>([
  'resident-id-card',
  'hk-macao-taiwan-residence-permit',
  'foreigner-permanent-resident-card',
])

function visitFor(request: Request, interaction: Interaction, device: string | undefined): Visit {
  const { locale, size, reference, address } = visitOf(request)
  const { accountId, level, since, grants } = interaction
  return {
    uid: interaction.uid,
    application: interaction.application.id,
    purpose: interaction.application.name[locale],
    channel: interaction.channel,
    asked: interaction.asked,
    locale,
    largeType: size === 'large',
    reference,
    address,
    device,
    ...(accountId === undefined || since === undefined
      ? {}
      : { session: { person: accountId, level, since: since * 1000 } }),
    numberByLaw: grants.some(({ claim, basis }) => claim === 'id_number' && basis === 'duty'),
  }
}

/** What a page shows of the attempt: never more than the citizen himself has given or proven. */
function dataFor(
  step: Step | 'low',
  interaction: Interaction,
  { attempt, people }: Standing,
  visit: Visit,
  now: number,
) {
  const { locale } = visit
  const { fault, phone, challenge, evidence } = attempt
  const typed = fault?.step === step ? fault.typed : undefined
  return {
    application: interaction.application.name,
    base: `/login/${interaction.uid}`,
    fault:
      fault?.step === step
        ? { ...fault, sentence: publicSentence(fault.code, locale), mendable: !beyondInput.has(fault.code) }
        : undefined,
    phone: step === 'phone' ? (typed ?? (phone === undefined ? '' : groupPhone(phone))) : undefined,
    maskedPhone: phone === undefined ? '' : maskPhone(phone),
    publicComputer: attempt.publicComputer,
    called: challenge?.verifier === 'voice',
    voice: visit.channel.verifiers.includes('voice'),
    asked: interaction.asked,
    proofing: people[0]?.proofing ?? 1,
    resendIn: challenge ? Math.max(0, Math.ceil((challenge.resendAt - now) / 1000)) : 0,
    minutes: challenge ? Math.max(1, Math.ceil((challenge.expiresAt - now) / 60_000)) : 0,
    people:
      step === 'who' ? people.map(({ id, name }) => ({ id, name: name === undefined ? '*' : maskName(name) })) : [],
    kinds: documentKinds,
    kind: attempt.documentKind ?? documentKinds[0],
    coded: coded.has(attempt.documentKind ?? ''),
    format: attempt.documentKind !== undefined && isFormatOnly(attempt.documentKind),
    name: step === 'name' ? (typed ?? attempt.name ?? '') : undefined,
    number: step === 'number' ? (typed ?? '') : undefined,
    registering: evidence !== undefined && attempt.person !== null && people.length > 0,
  }
}

export function loginPages({
  interactions,
  signIn,
  pages,
  deviceCookie,
  passkeyRenew,
  passkeysAddable,
  linking,
  labels,
  prefill: prefillSettings,
  now,
}: LoginParts): Router {
  const router = Router()

  const found = async (request: Request, response: Response) => {
    const interaction = await interactions.find(request, response, String(request.params['uid']))
    return { interaction, visit: visitFor(request, interaction, deviceCookie.read(request)) }
  }

  /** Sends the browser to where the attempt stands; a finished one goes back to the application. */
  const goOn = async (request: Request, response: Response, visit: Visit): Promise<void> => {
    const { attempt, next, method } = await signIn.standing(visit)
    const result = next === 'done' ? await signIn.conclude(visit) : undefined
    if (result) {
      if (result.device !== undefined) deviceCookie.write(response, result.device)
      return response.redirect(303, await interactions.signedIn(request, response, result))
    }
    const faulty = attempt.fault?.step as Step | undefined
    response.redirect(303, `/login/${visit.uid}/${faulty && reachable(faulty, next, method) ? faulty : next}`)
  }

  router.get('/login/:uid/:step', async (request, response, next) => {
    const step = request.params.step
    if (!isStep(step) && step !== 'low') return next()
    const { interaction, visit } = await found(request, response)
    if (interaction.prompt !== 'login') return response.redirect(303, `/login/${interaction.uid}`)
    const standing = await signIn.standing(visit)
    const { method } = standing
    const open = step === 'low' ? standing.next === 'low' : reachable(step, standing.next, method)
    const prefill = prefillOf(prefillSettings, visit.channel.name, step)
    const ordinary: ReturnType<typeof provePage> = { view: step, ...(prefill ? { connects: [prefill.origin] } : {}) }
    const page = step !== 'prove' ? ordinary : method && provePage(method)
    if (!open || !page) return goOn(request, response, visit)
    const shown = methodsShown(standing, visit, { labels, isFresh: linking.isFresh })
    pages.send(request, response, {
      ...page,
      data: { ...dataFor(step, interaction, standing, visit, now()), ...shown, prefill, passkeyRenew, passkeysAddable },
      formTargets: [...formTargetsOf(interaction.application.redirectUris), ...(page.formTargets ?? [])],
    })
  })

  const answers: Readonly<Record<string, (visit: Visit, request: Request) => Promise<void>>> = {
    phone: (visit, request) =>
      signIn.givePhone(visit, field(request, 'phone'), field(request, 'public-computer') === 'on'),
    code: (visit, request) => signIn.answerCode(visit, field(request, 'code'), field(request, 'other') === 'on'),
    resend: (visit) => signIn.resend(visit),
    voice: (visit) => signIn.resend(visit, 'voice'),
    who: (visit, request) => signIn.chooseWho(visit, field(request, 'person')),
    document: (visit, request) => signIn.giveDocumentKind(visit, field(request, 'kind')),
    name: (visit, request) => signIn.giveName(visit, field(request, 'name')),
    number: (visit, request) => signIn.giveNumber(visit, field(request, 'number')),
  }

  const visiting = async (request: Request, response: Response): Promise<Visit | undefined> => {
    const { interaction, visit } = await found(request, response)
    return interaction.prompt === 'login' ? visit : undefined
  }
  router.use(methodPages({ signIn, pages, visiting, goOn }))
  if (prefillSettings) router.use(cardPrefill({ visiting }, prefillSettings, now))

  router.post('/login/:uid/:step', parseForm, async (request, response, next) => {
    const step = String(request.params['step'])
    const answer = Object.hasOwn(answers, step) ? answers[step] : undefined
    if (!answer) return next()
    const { interaction, visit } = await found(request, response)
    if (interaction.prompt === 'login') await answer(visit, request)
    await goOn(request, response, visit)
  })

  router.post('/login/:uid/abort', parseForm, async (request, response) => {
    await found(request, response)
    response.redirect(303, await interactions.aborted(request, response))
  })

  return router
}
