/**
 * The settings of a city's own verifiers (`verifiers.own`, docs/own-verifier.md): where each is found, and what it is
 * held to. Nothing that it answers reaches beyond this.
 */
import { z } from 'zod'
import { bilingual, breaker, origin, peer, seconds } from './values.ts'

/** The values that RFC 8176 registers: an application must know what it reads. */
const methods = z.enum(
  'face fpt geo hwk iris kba mca mfa otp pin pwd rba retina sc sms swk tel user vbm wia'.split(' '),
  { error: 'must be values that RFC 8176 registers, such as "pin"' },
)

const declared = {
  label: bilingual,
  /** One short line below it. */
  help: bilingual,
  by: z.enum(['form', 'redirect', 'device']),
  /** Whom its evidence may name. A person's id is ours alone, so `person` is not among them. */
  proves: z.array(z.enum(['document', 'phone', 'code'])).min(1),
  amr: z.array(methods).min(1),
  /** Level 4 is for a certificate that this server itself has checked, and for a clerk (DESIGN D8). */
  cap: z.literal([1, 2, 3], { error: 'must be 1, 2 or 3; level 4 is for certificates and clerks (DESIGN D8)' }),
  named: z.boolean().default(false),
  enrolled: z.boolean().default(false),
  facial: z.boolean().default(false),
  consent: z.strictObject({ receiver: bilingual, version: z.string().min(1) }).optional(),
  /** Of one by `redirect`: the sites it may send a citizen to. */
  leavesTo: z.array(origin).default([]),
  /** Of one by `device`: what its script talks to beside ourselves. */
  connects: z.array(origin).default([]),
  /** The longest that a challenge stands open. */
  validity: seconds.max(900).default(300),
  breaker: breaker.default({ failures: 5, pause: 30 }),
}

const kinds = z.discriminatedUnion('kind', [
  z.strictObject({
    kind: z.literal('module'),
    /** A package, or a file: what begins with a dot or a slash. */
    path: z.string().min(1),
    options: z.record(z.string(), z.json()).default({}),
    timeout: seconds.max(5).default(5),
    ...declared,
  }),
  peer.extend({ kind: z.literal('http'), ...declared }),
])

export type OwnVerifier = z.infer<typeof kinds>

/** What a declaration may not be in itself, and where. */
const refusals: readonly (readonly [keyof OwnVerifier, (own: OwnVerifier) => boolean, string])[] = [
  [
    'cap',
    ({ proves, cap }) => proves.includes('phone') && cap > 2,
    'may be at most 2 where a phone is proven: whoever holds a phone need not be its owner (DESIGN D8)',
  ],
  [
    'proves',
    ({ named, proves }) => named && (proves.length !== 1 || proves[0] !== 'document'),
    'must be ["document"] where "named" is true: it proves the document that was asked for',
  ],
  ['facial', ({ facial, amr }) => amr.includes('face') && !facial, 'must be true where amr has "face"'],
  [
    'named',
    ({ facial, named }) => facial && !named,
    'must be true where "facial" is: the age has to be known before the camera opens',
  ],
  ['consent', ({ facial, consent }) => facial && !consent, 'is missing; a face leaves the device by consent alone'],
  [
    'leavesTo',
    ({ by, leavesTo }) => (by === 'redirect') !== leavesTo.length > 0,
    'lists the sites of one by "redirect", and is for such a one alone',
  ],
  ['connects', ({ by, connects }) => by !== 'device' && connects.length > 0, 'is for one by "device" alone'],
  [
    'consent',
    ({ by, consent }) => by !== 'redirect' && consent !== undefined,
    'is asked on the page before a citizen leaves: of one by "redirect" alone',
  ],
]

const ownVerifier = kinds.check(({ value, issues }) => {
  for (const [member, isBroken, message] of refusals)
    if (isBroken(value)) issues.push({ code: 'custom', path: [member], message, input: value[member] ?? null })
})

export const ownVerifiers = z.record(
  z.string().regex(/^[a-z][a-z-]*$/, 'a name is lower-case letters and dashes'),
  ownVerifier,
)
