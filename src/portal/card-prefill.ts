/**
 * Name and number filled in by a card reader of another vendor, at windows whose channel the settings name: the page's
 * script asks the vendor's program on the loopback and hands its answer over to be read. It saves typing and proves
 * nothing: what stands in the form is looked at, changed and checked as if it had been typed.
 */
import { Router } from 'express'
import type { Config } from '#src/config.ts'
import { field, parseForm } from '#src/http/input.ts'
import { readVendorAnswer } from '#src/identity/vendor-reading.ts'
import type { MethodParts } from './methods.ts'

type Settings = Config['verifiers']['idCard']['prefill']

interface Vendor {
  readonly origin: string
  /** Asked in this order; the answer of the one that reads is read. */
  readonly asks: readonly { readonly method: 'GET' | 'POST'; readonly path: string; readonly reads?: true }[]
}

/** Where each vendor's program answers, asked for no photo where it can be told. */
const vendors: Readonly<Record<NonNullable<Settings>['vendor'], Vendor>> = {
  synjones: {
    origin: 'http://127.0.0.1:8989',
    asks: [{ method: 'GET', path: '/api/ReadMsg?Fp=0&NoPhoto=1&cardImg=0&readOnce=1&waitTime=5', reads: true }],
  },
  cvr: {
    origin: 'http://127.0.0.1:19196',
    asks: [
      { method: 'GET', path: '/OpenDevice' },
      { method: 'GET', path: '/readcard', reads: true },
      { method: 'GET', path: '/CloseDevice' },
    ],
  },
  routon: {
    origin: 'http://127.0.0.1:18889',
    asks: [
      { method: 'POST', path: '/api/connect' },
      { method: 'POST', path: '/api/readCard', reads: true },
    ],
  },
  zk: {
    origin: 'http://127.0.0.1:24010',
    asks: [
      { method: 'GET', path: '/ZKIDROnline/ScanReadIdCardInfo?OP-DEV=1&CMD-URL=4&common=1&random=1', reads: true },
    ],
  },
}

/** Whom the pages of this channel ask, where a step asks for something that stands on a card. */
export function prefillOf(settings: Settings, channel: string, step: string): Vendor | undefined {
  if (!settings?.channels.includes(channel) || !['name', 'number'].includes(step)) return undefined
  return vendors[settings.vendor]
}

export function cardPrefill(
  { visiting }: Pick<MethodParts, 'visiting'>,
  settings: Settings,
  now: () => number,
): Router {
  const router = Router()
  router.post('/login/:uid/card-answer', parseForm, async (request, response, next) => {
    const visit = await visiting(request, response)
    if (!visit || !settings?.channels.includes(visit.channel.name)) return next()
    const read = readVendorAnswer(field(request, 'answer'), now())
    response.set('cache-control', 'no-store').json(read ? { name: read.name, number: read.number } : {})
  })
  return router
}
