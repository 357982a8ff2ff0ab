/**
 * The words of texts and calls (PAGES.md). Of a code: what for, how long, and that nobody on the staff asks for it; of a
 * notice: what happened, when, and what to do. No links: citizens are taught never to tap them.
 */
import { dayInChina, timeInChina } from '#src/identity/calendar.ts'
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

/** The same words for the ear: the code digit by digit, and twice. */
export function callText({ code, minutes, claim, city }: CodeText): SmsText {
  const { locale, purpose } = claim
  const digits = [...code].join(locale === 'zh' ? '，' : ', ')
  const variables = { code, purpose, minutes: String(minutes) }
  const text =
    locale === 'zh'
      ? `您好，这里是${city.zh}一号。您正在登录“${purpose}”，验证码是：${digits}。再说一遍：${digits}。${minutes}分钟内有效。工作人员不会索要验证码，切勿告诉他人。`
      : `Hello, this is ${city.en} Yihao. Your code to sign in to "${purpose}" is: ${digits}. Once more: ${digits}. It is valid for ${minutes} minutes. Our staff never ask for it; tell nobody.`
  return { template: 'call', locale, variables, order: ['code', 'purpose', 'minutes'], text }
}

/** What a citizen is told of his account without having asked. */
export type NoticeEvent =
  | 'tried'
  | 'reclaimed'
  | 'claim-ended'
  | 'phone-bound'
  | 'passkey-added'
  | 'passkey-removed'
  | 'link-added'
  | 'link-removed'
  | 'other-link-added'
  | 'other-link-removed'

const happened: Readonly<Record<NoticeEvent, { readonly zh: string; readonly en: string }>> = {
  tried: {
    zh: '有人用您的姓名和证件号码登记账号，没有成功，您的账号没有变化',
    en: 'somebody tried to register with your name and document number; it failed, and your account is unchanged',
  },
  reclaimed: {
    zh: '您的账号已由您本人核实，此前用别的手机号登记的登录已全部结束',
    en: 'your account was verified as yours, and sign-ins made with other mobile numbers have ended',
  },
  'claim-ended': {
    zh: '用这个手机号登记的账号，已由证件本人核实收回，这个手机号不再能登录该账号',
    en: 'the account registered with this mobile number was taken over by the holder of the document; this number no longer opens it',
  },
  'phone-bound': {
    zh: '您的账号新绑定了一个手机号',
    en: 'another mobile number was added to your account',
  },
  'passkey-added': {
    zh: '您的账号新增了一台设备，可以用它的指纹或面容登录',
    en: 'a device was added to your account; its fingerprint or face can sign in now',
  },
  'passkey-removed': {
    zh: '您的账号移除了一台设备，不再能用它的指纹或面容登录',
    en: 'a device was removed from your account; its fingerprint or face no longer signs in',
  },
  'link-added': {
    zh: '您的账号关联了国家网络身份认证，以后可以用它登录',
    en: 'National Network Identity was linked to your account and can sign in now',
  },
  'link-removed': {
    zh: '您的账号不再关联国家网络身份认证，不再能用它登录',
    en: 'National Network Identity was removed from your account and no longer signs in',
  },
  'other-link-added': {
    zh: '您的账号关联了一种新的登录方式，在“我的账号”里可以看到',
    en: 'another way to sign in was linked to your account; you can see it under My account',
  },
  'other-link-removed': {
    zh: '您的账号移除了一种关联的登录方式，不再能用它登录',
    en: 'a linked way to sign in was removed from your account and no longer signs in',
  },
}

interface NoticeText {
  readonly event: NoticeEvent
  /** When it happened, milliseconds. */
  readonly at: number
  readonly locale: 'zh' | 'en'
  readonly city: { readonly zh: string; readonly en: string }
  readonly hotline: string
}

/** What happened, when, and whom to ask; nothing of what the account holds, since a phone may have changed hands. */
export function noticeText({ event, at, locale, city, hotline }: NoticeText): SmsText {
  const [, month = '', day = ''] = dayInChina(at).split('-')
  const date = locale === 'zh' ? `${Number(month)}月${Number(day)}日` : dayInChina(at)
  const variables = {
    time: `${date}${locale === 'zh' ? '' : ' '}${timeInChina(at)}`,
    what: happened[event][locale],
    hotline,
  }
  const { time, what } = variables
  const text =
    locale === 'zh'
      ? `【${city.zh}一号】${time}，${what}。不是您本人办理，或者有疑问，请拨打${hotline}。工作人员不会索要验证码。`
      : `[${city.en} Yihao] ${time}: ${what}. If this was not you, or you are in doubt, call ${hotline}. Our staff never ask for a code.`
  return { template: 'notice', locale, variables, order: ['time', 'what', 'hotline'], text }
}
