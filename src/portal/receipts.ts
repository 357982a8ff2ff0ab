/**
 * Where a carrier that knows no better way posts its reports (云MAS). The key in the address is all that tells it from a
 * stranger, so the address is a secret of the city and the carrier; what is not theirs gets the answer of no page at all.
 */
import express, { Router } from 'express'
import { AppError } from '#src/errors.ts'
import { PeerFailure } from '#src/peers/signed-http.ts'
import type { ReportDesk } from '#src/verifiers/sms/receipts.ts'

export interface ReceiptParts {
  readonly reports: ReportDesk
}

export function receiptDesk({ reports }: ReceiptParts): Router {
  const router = Router()
  const parseReport = express.json({ limit: '56kb', type: () => true })
  router.post(
    '/receipts/:gateway/:key',
    (request, response, next) => {
      const { gateway, key } = request.params
      response.locals['take'] = reports(gateway, key)
      next(response.locals['take'] ? undefined : 'router')
    },
    parseReport,
    async (request, response) => {
      try {
        await response.locals['take'](request.body)
      } catch (cause) {
        throw cause instanceof PeerFailure ? new AppError('bad_request', { detail: 'a report', cause }) : cause
      }
      response.json({})
    },
  )
  return router
}
