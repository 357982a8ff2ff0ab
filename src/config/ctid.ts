/** The settings of the national network identity service (`verifiers.ctid`): 网号、网证 and its modes R01–R04. */
import { z } from 'zod'
import { addressTemplate, bilingual, breaker, path, seconds, text } from './values.ts'

export const ctid = z.strictObject({
  /** Where the citizen opens his 网证: a page, or a link that opens the app. */
  app: addressTemplate(['orgID', 'appID', 'bizSeq', 'type', 'authMode', 'return'], ['bizSeq', 'return']),
  /** Where the credential is presented. */
  url: z.url({ protocol: /^https?$/ }),
  orgCode: text,
  appId: text,
  appName: text,
  /** Who receives the face of `ctid-face`, as citizens read it. */
  receiver: bilingual,
  /** The mode of each of the two verifiers. */
  modes: z.strictObject({ ctid: z.enum(['R01', 'R02']), 'ctid-face': z.enum(['R03', 'R04']) }),
  /** What each mode proves; it may be less, not more. */
  levels: z
    .strictObject({
      R01: z.literal([1, 2]).default(2),
      R02: z.literal([1, 2]).default(2),
      R03: z.literal([1, 2, 3]).default(3),
      R04: z.literal([1, 2, 3]).default(3),
    })
    .prefault({}),
  /** How requests are signed; the key file of `sm2` holds a private JWK, the other one the public JWK of the service. */
  signing: z.discriminatedUnion('kind', [
    z.strictObject({ kind: z.literal('none') }),
    z.strictObject({ kind: z.literal('hmac-sm3'), keyFile: text }),
    z.strictObject({ kind: z.literal('sm2'), keyFile: text, answerKeyFile: text.optional() }),
  ]),
  /** Where the answer says what. */
  answer: z
    .strictObject({
      code: path.default('code'),
      accepted: text.default('0'),
      bizSeq: path.default('data.bizSeq'),
      authMode: path.default('data.authMode'),
      result: path.default('data.authResult'),
      passed: text.default('0'),
      subject: path.default('data.appPersonId'),
      time: path.default('data.authTime'),
    })
    .prefault({}),
  validity: seconds.max(1800),
  timeout: seconds.max(5),
  breaker,
})

export type CtidSettings = z.infer<typeof ctid>
