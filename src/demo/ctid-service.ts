/**
 * A simulator of the national network identity service (国家网络身份认证公共服务): the page on which a citizen opens his 网证,
 * and the back end that says whether it holds, with the published field names. Behind signed HTTP, as a city's gateway
 * before the real one would be. It holds synthetic people, knows them by made-up codes, and tells neither name nor number.
 */
import { randomBytes, timingSafeEqual } from 'node:crypto'
import express, { type Router } from 'express'
import { hmacSm3, sm3 } from 'jose'
import { z } from 'zod'
import { answerSignature, requestSignature } from '#src/peers/signed-http.ts'
import { readPopulation } from './cast.ts'
import { handOverPage, isBack, peoplePage } from './people-page.ts'

interface Settings {
  readonly issuer: string
  /** Shared with the server. */
  readonly key: Buffer
}

const name = { zh: '网证', en: 'National network identity' }
const password = '246810'
const asksPassword = (mode: string) => mode === 'R02' || mode === 'R04'
const asksFace = (mode: string) => mode === 'R03' || mode === 'R04'

const openingSchema = z.object({
  bizSeq: z.string().regex(/^[^&]{32}$/),
  authMode: z.enum(['R01', 'R02', 'R03', 'R04']),
  return: z.string(),
})
const chosenSchema = openingSchema.extend({
  person: z.string(),
  password: z.string().optional(),
  choice: z.enum(['go', 'cancel']),
})
const questionSchema = z.strictObject({
  orgCode: z.literal('demo-city'),
  appId: z.literal('yihao'),
  appName: z.string(),
  bizSeq: z.string(),
  authMode: z.enum(['R01', 'R02', 'R03', 'R04']),
  idCardAuthData: z.string(),
  certPwdData: z.string().optional(),
  photoEncData: z.string().optional(),
})

/** A picture of nobody, as long as GB/T 35678 asks at least. */
const photo = Buffer.concat([Buffer.from([0xff, 0xd8, 0xff]), Buffer.alloc(12_000)]).toString('base64')

/** By which the service knows this person at this relying party. */
const codeOf = (person: string): string => `W${sm3(`demo person ${person}`).toString('hex').slice(0, 31).toUpperCase()}`

const same = (a: string, b: string): boolean => a.length === b.length && timingSafeEqual(Buffer.from(a), Buffer.from(b))

export function createCtidService({ issuer, key }: Settings): Router {
  const secret = randomBytes(32)
  const spent = new Set<string>()
  const nonces = new Set<string>()
  const seal = (text: string): string => hmacSm3(secret, text).toString('base64url')

  /** The 网证 data of a transaction: sealed, so that what comes back is what was made here. */
  const made = (person: string, bizSeq: string): string => {
    const text = Buffer.from(JSON.stringify({ person, bizSeq })).toString('base64url')
    return `${text}.${seal(text)}`
  }
  const opened = (data: string): { readonly person?: string; readonly bizSeq?: string } => {
    const [text = '', given = ''] = data.split('.')
    return same(seal(text), given) ? (JSON.parse(Buffer.from(text, 'base64url').toString()) as object) : {}
  }

  const verdict = ({ bizSeq, authMode, ...given }: z.infer<typeof questionSchema>): object => {
    const { person, bizSeq: madeFor } = opened(given.idCardAuthData)
    if (person === undefined) return { code: '1001', message: '网证数据无效' }
    if (madeFor !== bizSeq) return { code: '1003', message: '业务序列号不一致' }
    if (spent.has(bizSeq)) return { code: '1002', message: '业务序列号已使用' }
    spent.add(bizSeq)
    const isRight =
      (!asksPassword(authMode) || given.certPwdData === seal(`password ${bizSeq} ${password}`)) &&
      (!asksFace(authMode) || given.photoEncData === photo)
    const data = { bizSeq, authMode, authTime: new Date().toISOString() }
    return isRight
      ? { code: '0', message: '成功', data: { ...data, authResult: '0', appPersonId: codeOf(person) } }
      : { code: '0', message: '成功', data: { ...data, authResult: '1' } }
  }

  const router = express.Router()

  router.get('/app', async (request, response) => {
    const opening = openingSchema.safeParse(request.query).data
    if (!opening || !isBack(opening.return, issuer)) return void response.sendStatus(400)
    const { people } = await readPopulation()
    const face = asksFace(opening.authMode) ? '<p>将拍摄您的面部。 Your face will be looked at.</p>' : ''
    const asked = `<p><label for="password">网证口令 Password（演示 demo: ${password}）</label><br>
      <input id="password" name="password" type="password" inputmode="numeric"></p>`
    const about = {
      zh: '出示网证。不会提供姓名和证件号码。',
      en: 'Show your credential. No name and no number is told.',
    }
    const fields = `${asksPassword(opening.authMode) ? asked : ''}${face}`
    response.type('html').send(peoplePage({ name, about, action: 'app', hidden: opening, people, fields }))
  })

  router.post('/app', express.urlencoded({ extended: false }), (request, response) => {
    const chosen = chosenSchema.safeParse(request.body).data
    if (!chosen || !isBack(chosen.return, issuer)) return void response.sendStatus(400)
    const { authMode, bizSeq, person, password: typed = '' } = chosen
    // A form's answer holds the state beside the fields, as OAuth's form_post does.
    const back = Object.fromEntries(new URL(chosen.return).searchParams)
    const action = chosen.return.split('?')[0] ?? ''
    const values = {
      ...{ ...back, resultCode: 'C0000000', bizSeq, idCardAuthData: made(person, bizSeq) },
      ...(asksPassword(authMode) ? { certPwdData: seal(`password ${bizSeq} ${typed}`) } : {}),
      ...(asksFace(authMode) ? { photoEncData: photo } : {}),
    }
    const given = chosen.choice === 'go' ? values : { ...back, resultCode: 'C0412002' }
    response.type('html').send(handOverPage(name, action, given))
  })

  router.post('/auth', express.text({ type: 'application/json', limit: '256kb' }), (request, response) => {
    const body = String(request.body)
    const [time, nonce] = [request.get('x-yihao-time') ?? '', request.get('x-yihao-nonce') ?? '']
    const due = requestSignature(key, request.originalUrl, time, nonce, body)
    const isFresh = Math.abs(Date.now() / 1000 - Number(time)) < 60 && !nonces.has(nonce)
    const isKnown = isFresh && same(due, request.get('x-yihao-signature') ?? '')
    if (isKnown) nonces.add(nonce)
    const question = isKnown ? questionSchema.safeParse(JSON.parse(body)).data : undefined
    const status = isKnown ? 200 : 401
    const text = JSON.stringify(question ? verdict(question) : { code: '1000', message: '请求无效' })
    response
      .status(status)
      .set('x-yihao-signature', answerSignature(key, status, nonce, text))
      .type('json')
      .send(text)
  })

  return router
}
