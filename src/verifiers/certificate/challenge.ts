/**
 * What a token is asked to sign: a text that its window can show, so that whoever reads it knows what he signs, and that
 * can be taken for no document's signature and for no other site's, attempt's or day's. The server keeps a MAC of it.
 */
import { randomBytes } from 'node:crypto'
import { sm3 } from 'jose'
import type { Claim } from '../verifier.ts'

/** Never what another text signed by the same key begins with. */
const domain = 'YIHAO-CERTIFICATE-SIGN-IN-1'

/** One line, whatever an application is called. */
const line = (text: string): string => text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, ' ').slice(0, 100)

/** To the second, in the city's time. */
const localTime = (at: number): string => `${new Date(at + 8 * 3_600_000).toISOString().slice(0, 19)}+08:00`

export function challengeText(issuer: string, { attempt, purpose, now }: Claim): string {
  const nonce = randomBytes(32).toString('base64url')
  const shownAttempt = sm3(`${domain} ${attempt}`).toString('base64url').slice(0, 16)
  return [
    domain,
    '只用于登录以下网站，不是对任何文件的签名。',
    'This only signs you in to the site below. It signs no document.',
    `网站 Site: ${issuer}`,
    `用途 Purpose: ${line(purpose)}`,
    `时间 Time: ${localTime(now)}`,
    `编号 Attempt: ${shownAttempt}`,
    `随机数 Nonce: ${nonce}`,
  ].join('\n')
}
