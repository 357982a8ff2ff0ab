/**
 * Whom a certificate names, by the rules of its authority: in which attribute or extension the number and the name
 * stand, and which part of it they are. A field that says two things says nothing.
 */
import type { Config } from '#src/config.ts'
import { isAppError } from '#src/errors.ts'
import { parseDocument, type DocumentKind } from '#src/identity/id-number.ts'
import { parseName } from '#src/identity/name.ts'
import { take, takeLast } from '#src/jose/der.ts'
import type { Certificate } from '#src/jose/x509-certificate.ts'
import { dotted, readName, readString } from '#src/jose/x509-name.ts'

type Settings = NonNullable<Config['verifiers']['certificate']>
export type SubjectRule = Settings['authorities'][number]['subject'][number]
type Field = SubjectRule['number']

export interface NamedByCertificate {
  readonly kind: DocumentKind
  readonly number: string
  readonly name: string
}

/** Bounds the time of a pattern (`config/certificate.ts` bounds its shape). */
const maxLength = 256

const attributeIds: Readonly<Record<string, string>> = {
  CN: '2.5.4.3',
  O: '2.5.4.10',
  OU: '2.5.4.11',
  serialNumber: '2.5.4.5',
  UID: '0.9.2342.19200300.100.1.1',
}

const SET = 0x31

/**
 * The text of an extension: a string, or the member of IdentifyCode (GB/T 20518: SET of residenterCardNumber [0],
 * militaryOfficerCardNumber [1], passportNumber [2]), which authorities write with and without the string's own tag.
 */
function extensionText(value: Buffer, member: number): readonly string[] {
  if (value[0] !== SET) return [readString(value)]
  const texts: string[] = []
  for (let rest = takeLast(SET, value); rest.length > 0;) {
    const tag = rest[0] ?? 0
    const [content, others] = take(tag, rest)
    if (tag === 0x80 + member) texts.push(new TextDecoder('utf-8', { fatal: true }).decode(content))
    if (tag === 0xa0 + member) texts.push(readString(content))
    rest = others
  }
  return texts
}

function textsOf({ subject, extensions }: Certificate, from: string): readonly string[] {
  const [where = '', what = ''] = from.split(':')
  if (where === 'subject') {
    const id = attributeIds[what] ?? what
    return readName(subject)
      .filter((attribute) => attribute.id === id)
      .map(({ text }) => text)
  }
  const [, id, member = '0'] = /^([\d.]+)(?:\[(\d)\])?$/.exec(what) ?? []
  for (const [name, value] of extensions.values)
    if (dotted(Buffer.from(name, 'hex')) === id) return extensionText(value, Number(member))
  return []
}

/** The one thing that the field says; undefined where it says none or several. */
function valueOf(certificate: Certificate, { from, pattern }: Field): string | undefined {
  const expression = pattern === undefined ? undefined : new RegExp(pattern, 'u')
  const found = textsOf(certificate, from)
    .filter((text) => text.length <= maxLength)
    .map((text) => (expression ? expression.exec(text)?.groups?.['value'] : text))
    .filter((value) => value !== undefined)
  return new Set(found).size === 1 ? found[0] : undefined
}

/** What `read` makes of it; undefined where it is malformed. */
function wellFormed<T>(read: () => T): T | undefined {
  try {
    return read()
  } catch (error) {
    if (isAppError(error) || error instanceof TypeError) return undefined
    throw error
  }
}

/** @returns whom it names by the first rule that finds a number, or which of the two it does not say */
export function subjectOf(
  certificate: Certificate,
  rules: readonly SubjectRule[],
  now: number,
): NamedByCertificate | 'subject' | 'name' {
  for (const { kind, number: numberField, name: nameField } of rules) {
    const text = wellFormed(() => valueOf(certificate, numberField))
    const number = text && wellFormed(() => parseDocument(kind, text, now).number)
    if (!number) continue
    const nameText = wellFormed(() => valueOf(certificate, nameField))
    const name = nameText && wellFormed(() => parseName(nameText))
    return name ? { kind, number, name } : 'name'
  }
  return 'subject'
}
