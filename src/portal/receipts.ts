/**
 * Where a carrier that knows no better way posts its reports (云MAS). The key in the address is all that tells it from a
 * stranger, so the address is a secret of the city and the carrier; what is not theirs gets the answer of no page at all.
 */
import express, { Router } from 'express'
import { AppError } from '#src/errors.ts'
import { PeerFailure } from '#src/peers/signed-http.ts'
import type { TakeReport } from '#src/verifiers/sms/receipts.ts'

export interface ReceiptParts {
  readonly takeReport: TakeReport
}

export function receiptDesk({ takeReport }: ReceiptParts): Router {
  const router = Router()
  const parseReport = express.json({ limit: '64kb', type: () => true })
  router.post('/receipts/:gateway/:key', parseReport, async (request, response, next) => {
    const { gateway, key } = request.params as { gateway: string; key: string }
    try {
      if (!(await takeReport(gateway, key, request.body))) return next()
    } catch (cause) {
      throw cause instanceof PeerFailure ? new AppError('bad_request', { detail: 'a report', cause }) : cause
    }
    response.json({})
  })
  return router
}
