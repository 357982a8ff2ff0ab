/**
 * A simulator of the nation's identity platform, of the kind that hands the browser a ticket: ticket → token → who it is,
 * behind a gateway whose headers are those of 浙里办 IRS, here over HMAC-SM3.
 */
import { randomBytes } from 'node:crypto'
import express, { type Request, type Router } from 'express'
import { hmacSm3 } from 'jose'
import { z } from 'zod'
import { castMember, readPopulation } from './cast.ts'
import { isBack, peoplePage } from './people-page.ts'
import { levelField, provincialKinds } from './province.ts'

interface Settings {
  readonly issuer: string
  readonly secret: string
}

const name = { zh: '示例国家政务服务平台', en: 'Example national service platform' }
const about = {
  zh: '国家平台的账号，认证级别可选。',
  en: 'Your account of the national platform, at a level of your choice.',
}

const openingSchema = z.object({ appId: z.literal('yihao'), goto: z.string() })
const chosenSchema = openingSchema.extend({
  person: z.string(),
  level: z.enum(['1', '2', '3']),
  choice: z.enum(['go', 'cancel']),
})
type Account = Pick<z.infer<typeof chosenSchema>, 'person' | 'level'>

const ticketSchema = z.object({ ticketId: z.string(), appId: z.literal('yihao') })
const tokenSchema = z.object({ token: z.string() })

/** The gateway refuses what is older. */
const skewMs = 90_000

export function createNation({ issuer, secret }: Settings): Router {
  const tickets = new Map<string, Account>()
  const tokens = new Map<string, Account>()

  const isSigned = (request: Request): boolean => {
    const [key = '', date = ''] = ['x-bg-hmac-access-key', 'x-bg-date-time'].map((header) => request.get(header))
    const text = `POST\n${request.originalUrl}\n\n${key}\n${date}\n`
    const due = hmacSm3(Buffer.from(secret), text).toString('base64')
    const isFresh = Math.abs(Date.now() - Date.parse(date)) < skewMs
    return isFresh && request.get('x-bg-hmac-algorithm') === 'hmac-sm3' && request.get('x-bg-hmac-signature') === due
  }
  /** Once, whatever becomes of it. */
  const taken = (from: Map<string, Account>, id: string | undefined): Account | undefined => {
    const account = from.get(id ?? '')
    from.delete(id ?? '')
    return account
  }
  const handed = (to: Map<string, Account>, account: Account): string => {
    const id = randomBytes(24).toString('hex')
    to.set(id, account)
    return id
  }

  const router = express.Router()

  router.get('/login', async (request, response) => {
    const opening = openingSchema.safeParse(request.query).data
    if (!opening || !isBack(opening.goto, issuer)) return void response.sendStatus(400)
    const { people } = await readPopulation()
    const choice = { name, about, action: 'login', hidden: opening, people, fields: levelField }
    response.type('html').send(peoplePage(choice))
  })

  router.post('/login', express.urlencoded({ extended: false }), (request, response) => {
    const chosen = chosenSchema.safeParse(request.body).data
    if (!chosen || !isBack(chosen.goto, issuer)) return void response.sendStatus(400)
    const back = new URL(chosen.goto)
    // Such platforms know no error: whoever gives up comes back without a ticket.
    if (chosen.choice === 'go') back.searchParams.set('ticketId', handed(tickets, chosen))
    response.redirect(303, back.href)
  })

  router.use(express.json())
  router.use((request, response, next) => {
    if (isSigned(request)) next()
    else response.status(401).json({ success: false, errorMsg: 'signature' })
  })

  router.post('/uc/sso/access_token', (request, response) => {
    const account = taken(tickets, ticketSchema.safeParse(request.body).data?.ticketId)
    response.json(account ? { success: true, data: { accessToken: handed(tokens, account) } } : { success: false })
  })

  router.post('/uc/sso/getUserInfo', async (request, response) => {
    const account = taken(tokens, tokenSchema.safeParse(request.body).data?.token)
    if (!account) return void response.json({ success: false })
    const { kind, number, name: userName } = castMember(await readPopulation(), account.person)
    const personInfo = { idType: provincialKinds[kind] ?? '0', idNo: number, userName, authLevel: account.level }
    response.json({ success: true, data: { personInfo } })
  })

  return router
}
