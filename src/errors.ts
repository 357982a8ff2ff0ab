/**
 * The one family of errors and its closed table: code → HTTP status and the public sentence in both languages.
 * `detail` and `cause` are for the log and never shown; neither may hold personal data, codes or tokens.
 */

interface Entry {
  readonly status: number
  readonly zh: string
  readonly en: string
}

const table = {
  /* Requests */
  bad_request: {
    status: 400,
    zh: '请求不完整或格式不对，请返回重试。',
    en: 'The request is incomplete or malformed. Please go back and try again.',
  },
  foreign_origin: {
    status: 403,
    zh: '这个请求不是从本页面发出的，没有执行。请从办事页面重新进入。',
    en: 'This request did not come from our page and was not carried out. Please start again from the service you want.',
  },
  not_found: {
    status: 404,
    zh: '没有这个页面，请从办事页面重新进入。',
    en: 'There is no such page. Please start again from the service you want.',
  },
  too_many_requests: {
    status: 429,
    zh: '操作太频繁，请稍后再试。',
    en: 'Too many requests. Please try again a little later.',
  },
  payload_too_large: {
    status: 413,
    zh: '提交的内容太长，请改短后重试。',
    en: 'What was sent is too long. Please shorten it and try again.',
  },
  internal: {
    status: 500,
    zh: '系统出错，您填的没有错。请稍后再试，或拨打12345并告知编号。',
    en: 'Something went wrong on our side; what you entered is not at fault. Please try again later, or call 12345 and quote the number below.',
  },
  unavailable: {
    status: 503,
    zh: '系统暂时不可用，请稍后再试。',
    en: 'The service is unavailable for the moment. Please try again later.',
  },
  conflict: {
    status: 409,
    zh: '信息刚刚被更新，请返回重试。',
    en: 'The record was changed a moment ago. Please go back and try again.',
  },

  row_tampered: {
    status: 500,
    zh: '这份证件的登记记录校验未通过，暂时不能办理。您填的没有错，请拨打12345并告知编号。',
    en: 'The record of this document did not pass its check and cannot be used for the moment; what you entered is not at fault. Please call 12345 and quote the number below.',
  },

  /* Documents and names (identity) */
  document_kind_unknown: { status: 400, zh: '请选择证件类型。', en: 'Please choose the type of document.' },
  number_missing: { status: 400, zh: '请填写证件号码。', en: 'Please enter the document number.' },
  number_length: {
    status: 400,
    zh: '证件号码位数不对，请对照证件检查。',
    en: 'The number has the wrong length. Please check it against the document.',
  },
  number_characters: {
    status: 400,
    zh: '证件号码里有不该出现的字符，请对照证件检查。',
    en: 'The number has a character that cannot be there. Please check it against the document.',
  },
  number_region: {
    status: 400,
    zh: '证件号码开头几位与所选证件类型不符，请检查证件类型和号码。',
    en: 'The first digits do not fit the type of document. Please check both.',
  },
  number_date: {
    status: 400,
    zh: '证件号码里的出生日期不存在，请对照证件检查。',
    en: 'The date of birth inside the number does not exist. Please check it against the document.',
  },
  number_check: {
    status: 400,
    zh: '证件号码校验不通过，可能有一位填错了，请对照证件检查。',
    en: 'The check character does not fit; one character may be wrong. Please check it against the document.',
  },
  name_missing: { status: 400, zh: '请填写姓名。', en: 'Please enter your name.' },
  name_length: {
    status: 400,
    zh: '姓名太长，请按证件填写。',
    en: 'The name is too long. Please enter it as on the document.',
  },
  name_characters: {
    status: 400,
    zh: '姓名里有不该出现的字符，请按证件逐字填写。',
    en: 'The name has a character that cannot be there. Please enter it as on the document.',
  },
  phone_missing: { status: 400, zh: '请填写手机号。', en: 'Please enter your mobile number.' },
  phone_invalid: {
    status: 400,
    zh: '手机号不对，请填写11位手机号。',
    en: 'This is not a mobile number. Please enter all 11 digits.',
  },

  /* Sign-in and proofing */
  attempt_gone: {
    status: 400,
    zh: '这次登录已经结束或超时，请从办事页面重新进入。',
    en: 'This sign-in has ended or timed out. Please start again from the service you want.',
  },
  verifier_unavailable: {
    status: 503,
    zh: '这种验证方式暂时不可用，您填的没有错。请换一种方式，稍后再试，或到窗口办理。',
    en: 'This way of proving who you are is unavailable for the moment; what you entered is not at fault. Please choose another, try again later, or go to a service window.',
  },
  document_unfit: {
    status: 400,
    zh: '这种验证方式核验不了这份证件，请换一种方式，或到窗口办理。',
    en: 'This way of proving who you are cannot check this document. Please choose another, or go to a service window.',
  },
  register_unavailable: {
    status: 503,
    zh: '人口库暂时连不上，您填的没有错，请10分钟后再试，或到窗口办理。',
    en: 'The population register cannot be reached for the moment; what you entered is not at fault. Please try again in 10 minutes, or go to a service window.',
  },

  /* Start-up and operation; never shown to citizens */
  config_invalid: { status: 500, zh: '系统配置有误。', en: 'The configuration is invalid.' },
  key_invalid: { status: 500, zh: '系统密钥有误。', en: 'A key file is missing or invalid.' },
  key_unavailable: {
    status: 503,
    zh: '系统暂时不可用，请稍后再试。',
    en: 'The service is unavailable for the moment. Please try again later.',
  },
  sealed_value_invalid: { status: 500, zh: '数据校验未通过。', en: 'A sealed value did not open.' },
  storage_unavailable: {
    status: 503,
    zh: '系统暂时不可用，请稍后再试。',
    en: 'The service is unavailable for the moment. Please try again later.',
  },
  audit_broken: {
    status: 503,
    zh: '系统暂时不可用，请稍后再试。',
    en: 'The service is unavailable for the moment. Please try again later.',
  },
} as const satisfies Record<string, Entry>

export type ErrorCode = keyof typeof table
export type Locale = 'zh' | 'en'

export interface ErrorOptions {
  readonly detail?: string
  readonly cause?: unknown
}

export class AppError extends Error {
  override readonly name = 'AppError'
  readonly code: ErrorCode
  readonly detail: string | undefined

  constructor(code: ErrorCode, options: ErrorOptions = {}) {
    super(options.detail === undefined ? code : `${code}: ${options.detail}`, { cause: options.cause })
    this.code = code
    this.detail = options.detail
  }

  get status(): number {
    return table[this.code].status
  }

  /** The same by the name that the engine's error handler asks for: 503 where a back end is away, not 500. */
  get statusCode(): number {
    return this.status
  }

  /** The sentence a citizen may read. */
  sentence(locale: Locale): string {
    return table[this.code][locale]
  }
}

/** The sentence of a code, where the table has it. */
export function publicSentence(code: string, locale: Locale): string | undefined {
  return Object.hasOwn(table, code) ? table[code as ErrorCode][locale] : undefined
}

export function isAppError(error: unknown, code?: ErrorCode): error is AppError {
  return error instanceof AppError && (code === undefined || error.code === code)
}
