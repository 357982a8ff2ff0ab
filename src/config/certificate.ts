/** The settings of certificates (数字证书): whose are trusted, what they prove, and where they say whom they name. */
import { z } from 'zod'
import { breaker, seconds } from './values.ts'

const text = z.string().min(1)
const web = z.url({ protocol: /^https?$/ })

/**
 * A regular expression that ends in bounded time over a short text: no repeated group and no reference back, so that a
 * text is never divided in more ways than it has characters, but for a few repetitions side by side.
 */
const isTame = (source: string): boolean => {
  const plain = source.replace(/\\./g, 'x').replace(/\[[^\]]*\]/g, 'x')
  return !/\)[*+{]/.test(plain) && !/\\[1-9k]/.test(source) && (plain.match(/[*+]|\{\d+,\}/g) ?? []).length <= 3
}

function compiles(source: string): boolean {
  try {
    return new RegExp(source, 'u').source !== ''
  } catch {
    return false
  }
}

/** The part of a field's text, as the named group `value` of a pattern; without one, all of it. */
const field = z.strictObject({
  from: z.string().regex(/^(subject:(CN|O|OU|serialNumber|UID|\d+(\.\d+)+)|extension:\d+(\.\d+)+(\[\d\])?)$/, {
    error: 'must be such as "subject:CN", "subject:2.5.4.5", "extension:1.2.156.10260.4.1.1" or "extension:…[2]"',
  }),
  pattern: text
    .max(200)
    .refine((source) => compiles(source) && source.split('(?<value>').length === 2 && isTame(source), {
      error:
        'must be a regular expression with one group (?<value>…), no repeated group, no reference back, and at most three of * + {n,}',
    })
    .optional(),
})

const rule = z.strictObject({
  kind: z.enum([
    'resident-id-card',
    'hk-macao-taiwan-residence-permit',
    'foreigner-permanent-resident-card',
    'hk-macao-travel-permit',
    'taiwan-travel-permit',
    'passport',
  ]),
  number: field,
  name: field,
})

const authority = z
  .strictObject({
    /** A certificate in PEM, and those between it and the citizens'. */
    file: text,
    intermediates: z.array(text).default([]),
    /** Whether it issues to tokens alone whose keys never leave them (UKey), by what it has put in writing. */
    hardware: z.boolean(),
    /** The most its certificates prove; else by key and token (DESIGN D8). */
    level: z.literal([2, 3, 4]).optional(),
    crl: z.strictObject({
      /** `false`: where no list can be had, a certificate counts as not revoked. */
      required: z.boolean().default(true),
      /** Web addresses or files. */
      addresses: z.array(text),
      /** Hosts (`name` or `name:port`) whose addresses are believed where a certificate names them as its own. */
      hosts: z.array(text).default([]),
      /** Seconds after which a list is fetched anew, in the background, although it is valid. */
      refresh: seconds.default(3600),
      maxBytes: z.number().int().min(1024).max(16_000_000).default(8_388_608),
    }),
    /** Tried in order. */
    subject: z.array(rule).min(1).max(6),
  })
  .refine(({ hardware, level = 2 }) => hardware || level <= 3, {
    path: ['level'],
    error: 'may be 4 only where hardware is true: a key that can be copied is not in its holder’s hand alone',
  })
  .refine(({ crl }) => !crl.required || crl.addresses.length > 0 || crl.hosts.length > 0, {
    path: ['crl', 'addresses'],
    error: 'is empty; name where the revocation list is, or write "required": false to do without',
  })

const isNear = (url: string): boolean => {
  const { protocol, hostname } = new URL(url)
  return protocol === 'https:' || ['localhost', '127.0.0.1', '[::1]'].includes(hostname)
}

export const certificate = z.strictObject({
  /** Seconds a token has to sign. */
  validity: seconds.max(600),
  /** Where the signing agent answers on the citizen's machine (`src/verifiers/certificate/README.md`). */
  agent: web.refine(isNear, { error: 'must be on the loopback, or https' }),
  breaker,
  authorities: z.array(authority).min(1),
})

export type CertificateSettings = z.infer<typeof certificate>
