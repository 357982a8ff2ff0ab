/**
 * Where a carrier that knows no better way posts its reports (云MAS). The key in the address is all that tells it from a
 * stranger, so the address is a secret of the city and the carrier; what is not theirs gets the answer of no page at all.
 */
import express, { Router } from 'express'
import type { TakeReport } from '#src/verifiers/sms/receipts.ts'

export interface ReceiptParts {
  readonly takeReport: TakeReport
}

export function receiptDesk({ takeReport }: ReceiptParts): Router {
  const router = Router()
  const parseReport = express.json({ limit: '64kb', type: () => true })
  router.post('/receipts/:gateway/:key', parseReport, async (request, response, next) => {
    const { gateway, key } = request.params as { gateway: string; key: string }
    if (!(await takeReport(gateway, key, request.body))) return next()
    response.json({})
  })
  return router
}
