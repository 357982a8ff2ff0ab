/**
 * A simulator of a face service (演示人脸服务) behind signed HTTP, as `verifiers/face/README.md` publishes it. Its page has no
 * camera: whoever demonstrates says himself how it ended. It holds a session in memory for as long as it lasts, and
 * forgets it once its result has been told.
 */
import { randomBytes, timingSafeEqual } from 'node:crypto'
import express, { Router, type Request, type Response } from 'express'
import { z } from 'zod'
import { maskName } from '#src/identity/name.ts'
import { answerSignature, requestSignature } from '#src/peers/signed-http.ts'
import { demoDocument, escaped } from './page.ts'

interface Settings {
  /** Of the city's server: nobody is sent elsewhere. */
  readonly issuer: string
  /** Where the router is mounted. */
  readonly url: string
  /** Shared with the server. */
  readonly key: Uint8Array
  readonly now?: () => number
}

const requestSchema = z.strictObject({
  order: z.string(),
  kind: z.string(),
  number: z.string(),
  name: z.string(),
  returnTo: z.url(),
  locale: z.enum(['zh', 'en']),
})
const querySchema = z.strictObject({ session: z.string(), order: z.string() })
const endings = { passed: '是本人 It is me', failed: '不是本人 It is somebody else', unfinished: '稍后 Later' } as const
const actSchema = z.object({ session: z.string(), ending: z.enum(['passed', 'failed', 'unfinished']) })

interface Session extends z.infer<typeof requestSchema> {
  readonly until: number
  readonly result: keyof typeof endings
}

const sessionMs = 600_000
const clockMs = 60_000

const same = (a: string, b: string) => {
  const [left, right] = [Buffer.from(a), Buffer.from(b)]
  return left.length === right.length && timingSafeEqual(left, right)
}

function actPage(action: string, session: string, { name }: Pick<Session, 'name'>): string {
  const buttons = Object.entries(endings).map(
    ([ending, label]) => `<p><button class="do" name="ending" value="${ending}">${escaped(label)}</button></p>`,
  )
  return demoDocument(
    '演示人脸服务',
    `<h1>演示人脸服务</h1><p class="sub">Simulated face service</p>
     <p>这里没有摄像头，不拍照，也不留存任何信息。请您选择核验“${escaped(maskName(name))}”的结果。<br>
     There is no camera here; no picture is taken and nothing is kept. Please choose how the check ends.</p>
     <form method="post" action="${escaped(action)}"><input type="hidden" name="session" value="${escaped(session)}">${buttons.join('')}</form>`,
  )
}

export function createFaceService({ issuer, url, key, now = Date.now }: Settings): Router {
  const sessions = new Map<string, Session>()
  const nonces = new Map<string, number>()
  const router = Router()

  const live = (id: string): Session | undefined => {
    for (const [one, { until }] of sessions) if (until <= now()) sessions.delete(one)
    return sessions.get(id)
  }

  const isSigned = (request: Request, body: string): boolean => {
    const [time = '', nonce = '', signature = ''] = ['time', 'nonce', 'signature'].map(
      (name) => request.get(`x-yihao-${name}`) ?? '',
    )
    for (const [one, at] of nonces) if (Math.abs(now() - at) > 2 * clockMs) nonces.delete(one)
    const isFresh = Math.abs(now() - Number(time) * 1000) <= clockMs && nonce !== '' && !nonces.has(nonce)
    if (!isFresh || !same(signature, requestSignature(key, request.originalUrl, time, nonce, body))) return false
    nonces.set(nonce, now())
    return true
  }

  /** A question of the server's, answered and signed; what it may not ask is answered by a status alone. */
  const asked =
    (answer: (question: unknown) => object | number) =>
    (request: Request, response: Response): void => {
      const body = typeof request.body === 'string' ? request.body : ''
      const given = isSigned(request, body) ? answer(JSON.parse(body)) : 401
      const [status, text] = typeof given === 'number' ? [given, '{}'] : [200, JSON.stringify(given)]
      response.set('x-yihao-signature', answerSignature(key, status, request.get('x-yihao-nonce') ?? '', text))
      response.status(status).type('json').send(text)
    }
  const text = express.text({ type: () => true, limit: '16kb' })

  router.post(
    '/create',
    text,
    asked((question) => {
      const wanted = requestSchema.safeParse(question).data
      if (!wanted || new URL(wanted.returnTo).origin !== issuer) return 400
      const known = [...sessions].find(([, { order }]) => order === wanted.order)?.[0]
      const session = known ?? randomBytes(16).toString('base64url')
      if (known === undefined) sessions.set(session, { ...wanted, until: now() + sessionMs, result: 'unfinished' })
      return { session, url: `${url}/act?session=${session}` }
    }),
  )

  router.post(
    '/result',
    text,
    asked((question) => {
      const of = querySchema.safeParse(question).data
      const session = of && live(of.session)
      if (!of || !session || session.order !== of.order) return 404
      const { result, number, name } = session
      if (result !== 'unfinished') sessions.delete(of.session)
      return { ...of, result, number, name }
    }),
  )

  router.get('/act', (request, response) => {
    const id = String(request.query['session'])
    const session = live(id)
    if (!session) return void response.sendStatus(404)
    response.type('html').send(actPage('act', id, session))
  })

  router.post('/act', express.urlencoded({ extended: false }), (request, response) => {
    const given = actSchema.safeParse(request.body).data
    const session = given && live(given.session)
    if (!given || !session) return void response.sendStatus(404)
    sessions.set(given.session, { ...session, result: given.ending })
    response.redirect(303, session.returnTo)
  })

  return router
}
