/**
 * The pages of a method other than the code to a phone: the list to choose from, the page on which it is answered, the
 * way out to another site and back, and what becomes of a code that no account has yet.
 */
import { Router, type Request, type Response } from 'express'
import { AppError, isAppError } from '#src/errors.ts'
import { field, fields, parseForm, parseLargeForm } from '#src/http/input.ts'
import type { Page, Pages } from '#src/http/pages.ts'
import { visitOf } from '#src/http/visit.ts'
import type { Channel } from '#src/channels/channel.ts'
import type { Config } from '#src/config.ts'
import type { Linking } from '#src/login/linking.ts'
import type { SignIn } from '#src/login/sign-in.ts'
import type { Standing } from '#src/login/steps.ts'
import type { Visit } from '#src/login/visit.ts'
import type { Verifier } from '#src/verifiers/verifier.ts'

export interface MethodParts {
  readonly signIn: SignIn
  readonly pages: Pages
  /** The visit of a sign-in that this browser holds. @throws AppError `attempt_gone` */
  readonly visiting: (request: Request, response: Response) => Promise<Visit | undefined>
  /** May a code be linked to the session of this browser? */
  readonly isFresh: Linking['isFresh']
  /** Sends the browser to where the attempt stands. */
  readonly goOn: (request: Request, response: Response, visit: Visit) => Promise<void>
}

type Labels = Config['methods']

/** What a page says of a method: what channel, settings or verifier call it; else the locale's own words. */
function described({ name, by, ...verifier }: Verifier, channel: Channel, labels: Labels) {
  const [own, common] = [channel.methods?.[name], labels?.[name]]
  return {
    ...{ name, by },
    label: own?.label ?? common?.label ?? verifier.label,
    help: own?.help ?? common?.help ?? verifier.help,
  }
}

/** What the pages show of the methods on offer: never what is secret. */
export function methodsShown(
  { ways, method, attempt, first, people }: Standing,
  visit: Visit,
  { labels, isFresh }: Pick<MethodParts, 'isFresh'> & { readonly labels: Labels },
): Readonly<Record<string, unknown>> {
  const { channel, locale, session } = visit
  const listed = ways.filter(({ name, by }) => name !== 'passkey' && by !== 'phone')
  const phone = ways.find(({ by }) => by === 'phone')
  // In the list, the phone stands where the channel puts it; a call is offered where the text was sent.
  const list = ways.filter((way) => way === phone || listed.includes(way))
  const consent = method?.consent
  // What he may do instead: ways for everybody, none of which looks at him.
  const equals = ways.filter(({ name, facial, enrolled }) => name !== method?.name && !facial && !enrolled)
  return {
    others: listed.map((way) => described(way, channel, labels)),
    methods: list.map((way) => described(way, channel, labels)),
    passkey: ways.some(({ name }) => name === 'passkey'),
    passkeyOnly: first === 'passkey',
    first,
    // Every device of this channel is a public one.
    shared: channel.shared,
    method: method && described(method, channel, labels),
    named: method?.named === true,
    consent: consent && {
      ...{ receiver: consent.receiver[locale], version: consent.version },
      ...{ facial: method?.facial === true, stays: consent.stays === true },
      equals: equals.map((way) => described(way, channel, labels)),
    },
    fields: attempt.form?.show['fields'] ?? [],
    numberByLaw: visit.numberByLaw === true || people.length > 0,
    session: session !== undefined && isFresh(session) && !people.some(({ id }) => id === session.person),
    // A code waits for the account that he proves now.
    linking: attempt.code !== undefined && attempt.evidence === undefined,
  }
}

/** Where a form leads whose answer may be a redirect to a site that is not known when the page is made. */
const anywhere = ['https:', 'http://localhost:*']

/** The page on which the chosen method is answered. */
export function provePage(method: Verifier): Pick<Page, 'view' | 'formTargets' | 'connects' | 'frames'> {
  // Where a redirect leads is known only once it has begun; the form itself is ours.
  const targets = method.by === 'redirect' ? anywhere : []
  const { by, connects, frames } = method
  return { view: `prove-${by}`, formTargets: targets, connects, frames }
}

const statePattern = /^([\w-]{1,64})\.([\w-]{1,64})$/

/** Which attempt and which challenge somebody comes back to. @throws AppError `attempt_gone` */
function comingBack(state: unknown): { readonly uid: string; readonly challenge: string } {
  const [, uid, challenge] = statePattern.exec(typeof state === 'string' ? state : '') ?? []
  if (uid === undefined || challenge === undefined) throw new AppError('attempt_gone')
  return { uid, challenge }
}

export function methodPages({ signIn, pages, visiting, goOn }: Omit<MethodParts, 'isFresh'>): Router {
  const router = Router()

  /** Something is done with a sign-in that is still one, and then it goes on where it stands. */
  const step =
    (work: (visit: Visit, request: Request) => Promise<unknown>) =>
    async (request: Request, response: Response): Promise<void> => {
      const visit = await visiting(request, response)
      if (!visit) return response.redirect(303, `/login/${String(request.params['uid'])}`)
      await work(visit, request)
      await goOn(request, response, visit)
    }

  router.post(
    '/login/:uid/method',
    parseForm,
    step((visit, request) =>
      signIn.chooseMethod(visit, field(request, 'method'), field(request, 'public-computer') === 'on'),
    ),
  )

  for (const [path, name] of [
    ['passkey', 'passkey'],
    ['prove', undefined],
  ] as const) {
    /** For the page's script, which asks the citizen's device. */
    router.post(`/login/:uid/${path}/options`, parseForm, async (request, response) => {
      const visit = await visiting(request, response)
      const begun = visit ? await signIn.beginDevice(visit, { name, consent: field(request, 'consent') }) : {}
      response.set('cache-control', 'no-store').json(begun)
    })
  }

  router.post(
    '/login/:uid/passkey',
    parseForm,
    step((visit, request) =>
      signIn.answerMethod(visit, field(request, 'challenge'), field(request, 'answer'), {
        name: 'passkey',
        publicComputer: field(request, 'public-computer') === 'on',
      }),
    ),
  )

  router.post(
    '/login/:uid/prove',
    parseLargeForm,
    step(async (visit, request) => {
      const { method, attempt } = await signIn.standing(visit)
      if (method?.by === 'form') return signIn.answerMethod(visit, attempt.form?.challenge ?? '', fields(request.body))
      if (method?.by === 'device')
        return signIn.answerMethod(visit, field(request, 'challenge'), field(request, 'answer'))
      return undefined
    }),
  )

  router.post('/login/:uid/prove/leave', parseForm, async (request, response) => {
    const visit = await visiting(request, response)
    const address = visit && (await signIn.leave(visit, field(request, 'consent')))
    if (address !== undefined) return response.redirect(303, address)
    if (visit) return goOn(request, response, visit)
    response.redirect(303, `/login/${String(request.params['uid'])}`)
  })

  router.post(
    '/login/:uid/link',
    parseForm,
    step((visit, request) => signIn.chooseLink(visit, field(request, 'choice'))),
  )

  /* Back from another site: what it says goes on to the attempt, which only the browser that left holds. */

  router.get('/return/:verifier', (request, response) => {
    const { uid } = comingBack(request.query['state'])
    const { search } = new URL(request.originalUrl, 'http://here')
    response.redirect(303, `/login/${uid}/return${search}`)
  })

  // A form from elsewhere brings no cookie of ours, so our own page sends it once more.
  router.post('/return/:verifier', parseLargeForm, (request, response) => {
    const given = fields(request.body)
    const { uid } = comingBack(given['state'])
    const data = { action: `/login/${uid}/return`, given }
    // The last redirect of a sign-in leads to its application, which only its browser may be told.
    pages.send(request, response, { view: 'return', data, formTargets: anywhere })
  })

  const answer = (given: Readonly<Record<string, string>>) => {
    const { state, ...answered } = given
    return { challenge: comingBack(state).challenge, answered }
  }

  const comeBack = (given: (request: Request) => unknown) => async (request: Request, response: Response) => {
    const { challenge, answered } = answer(fields(given(request)))
    try {
      await step((visit) => signIn.answerMethod(visit, challenge, answered))(request, response)
    } catch (error) {
      if (isAppError(error, 'attempt_gone')) {
        const { reference, address } = visitOf(request)
        await signIn.comeBackElsewhere(challenge, { reference, address })
      }
      throw error
    }
  }
  router.get(
    '/login/:uid/return',
    comeBack(({ query }) => query),
  )
  router.post(
    '/login/:uid/return',
    parseLargeForm,
    comeBack(({ body }) => body),
  )

  return router
}
