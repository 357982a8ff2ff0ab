/**
 * The words of the code text (PAGES.md): what for, how long, and that nobody on the staff asks for it. No links:
 * citizens are taught never to tap them.
 */
import type { Claim } from '../verifier.ts'
import type { SmsText } from './gateway.ts'

interface CodeText {
  readonly code: string
  readonly minutes: number
  readonly claim: Pick<Claim, 'locale' | 'purpose'>
  readonly city: { readonly zh: string; readonly en: string }
}

export function codeText({ code, minutes, claim, city }: CodeText): SmsText {
  const { locale, purpose } = claim
  const variables = { code, purpose, minutes: String(minutes) }
  const text =
    locale === 'zh'
      ? `【${city.zh}一号】验证码${code}，用于登录“${purpose}”，${minutes}分钟内有效。工作人员不会索要验证码，切勿告诉他人。`
      : `[${city.en} Yihao] ${code} is your code to sign in to "${purpose}", valid for ${minutes} minutes. Our staff never ask for it; tell nobody.`
  return { template: 'code', locale, variables, order: ['code', 'purpose', 'minutes'], text }
}
