/**
 * How requests to the back end are signed. The rule of the national service is given to its relying parties under
 * contract and is not public, so it stands apart here: a city writes its own beside these and names it in the settings.
 *
 * - `hmac-sm3`: our signed HTTP (`peers/signed-http.ts`), both ways, as to a gateway of the city before the service;
 * - `sm2`: its headers and lines, with SM2 signatures (64 bytes r‖s, base64url) in the place of the HMAC;
 * - `none`: trust rests on TLS and on the network alone.
 */
import { randomBytes } from 'node:crypto'
import { resolve } from 'node:path'
import { sm2Sign, sm2Verify, sm3 } from 'jose'
import type { CtidSettings } from '#src/config/ctid.ts'
import { readJwk } from '#src/peers/jwk-file.ts'
import { askOutside, jsonOf } from '#src/peers/outside-http.ts'
import { readSharedKey } from '#src/peers/shared-key.ts'
import { askPeer, PeerFailure, PeerRefusal } from '#src/peers/signed-http.ts'

/** Sends a question as JSON and gives the answer. @throws PeerFailure */
export type Ask = (question: object) => Promise<unknown>

type Settings = Pick<CtidSettings, 'url' | 'timeout' | 'signing'>

const json = { 'content-type': 'application/json' }
const digest = (body: string) => sm3(body).toString('hex')

/** @throws AppError `key_invalid` naming the file of a key and what to do */
export function askerOf({ url, timeout, signing }: Settings, now: () => number): Ask {
  const timeoutMs = timeout * 1000
  if (signing.kind === 'hmac-sm3') {
    // A transaction is spent by its first question: another one would be refused.
    const peer = { url, key: readSharedKey(resolve(signing.keyFile)), timeoutMs, retries: 0 }
    return (question) => askPeer(peer, question, now)
  }
  if (signing.kind === 'none') {
    return async (question) => {
      const answer = await askOutside({ method: 'POST', url, headers: json, body: JSON.stringify(question), timeoutMs })
      if (answer.status >= 400) throw new PeerRefusal(answer.status)
      return jsonOf(answer)
    }
  }

  const ours = readJwk(resolve(signing.keyFile))
  const theirs = signing.answerKeyFile === undefined ? undefined : readJwk(resolve(signing.answerKeyFile))
  const { pathname, search } = new URL(url)
  const bytes = (...lines: readonly (string | number)[]) => Buffer.from(lines.join('\n'))
  sm2Sign(ours, bytes('a key that does not sign is refused at the start'))

  return async (question) => {
    const body = JSON.stringify(question)
    const [time, nonce] = [String(Math.floor(now() / 1000)), randomBytes(16).toString('base64url')]
    const signature = sm2Sign(ours, bytes('POST', `${pathname}${search}`, time, nonce, digest(body)))
    const headers = {
      ...json,
      'x-yihao-time': time,
      'x-yihao-nonce': nonce,
      'x-yihao-signature': signature.toString('base64url'),
    }
    const answer = await askOutside({ method: 'POST', url, headers, body, timeoutMs })
    const given = Buffer.from(answer.signature ?? '', 'base64url')
    if (theirs && !sm2Verify(theirs, bytes(answer.status, nonce, digest(answer.text)), given))
      throw new PeerFailure('not-signed')
    if (answer.status >= 400) throw new PeerRefusal(answer.status)
    return jsonOf(answer)
  }
}
