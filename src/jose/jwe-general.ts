/**
 * JSON Web Encryption to several recipients (RFC 7516 §7.2.1), SM2 keys among them. A recipient of upstream's own
 * algorithms may stand beside one with SGD_SM2_3 as long as `enc` is upstream's too.
 */
import { randomBytes } from 'node:crypto'
import * as upstream from 'jose-upstream'
import type {
  CritOption,
  DecryptOptions,
  FlattenedJWE,
  GeneralDecryptResult,
  GeneralJWE,
  JWEHeaderParameters,
  JWEKeyManagementHeaderParameters,
  KeyInput,
  ResolvedKey,
} from 'jose-upstream'
import { directKey } from './content-encryption.ts'
import { flattenedDecrypt, shown } from './jwe-decrypt.ts'
import type { DecryptKey } from './jwe-decrypt.ts'
import { encryptKey, seal, unwrap } from './jwe-encrypt.ts'
import { algorithmsOf, isSmJwe, protectedHeaderOf, refuseMixture, restored, standIn } from './jwe-header.ts'
import type { Algorithms } from './jwe-header.ts'
import { SGD_SM2_3 } from './names.ts'

const { JWEDecryptionFailed } = upstream.errors

type UpstreamRecipient = ReturnType<upstream.GeneralEncrypt['addRecipient']>

/** As upstream's, and for SGD_SM2_3 and SGD_SM4_GCM. */
export class GeneralEncrypt extends upstream.GeneralEncrypt {
  readonly #plaintext: Uint8Array
  readonly #recipients: Recipient[] = []
  #protected: JWEHeaderParameters | undefined
  #unprotected: JWEHeaderParameters | undefined
  #aad: Uint8Array | undefined

  constructor(plaintext: Uint8Array) {
    super(plaintext)
    this.#plaintext = plaintext
  }

  override setProtectedHeader(header: JWEHeaderParameters): this {
    super.setProtectedHeader(header)
    this.#protected = header
    return this
  }

  override setSharedUnprotectedHeader(header: JWEHeaderParameters): this {
    super.setSharedUnprotectedHeader(header)
    this.#unprotected = header
    return this
  }

  override setAdditionalAuthenticatedData(aad: Uint8Array): this {
    this.#aad = aad
    return this
  }

  override addRecipient(key: KeyInput, options?: CritOption): UpstreamRecipient {
    const recipient = new Recipient(this, key, options)
    this.#recipients.push(recipient)
    return recipient
  }

  override async encrypt(): Promise<GeneralJWE> {
    const named = this.#recipients.map(({ header }) => ({ ...header, ...this.#unprotected, ...this.#protected }))
    named.forEach(refuseMixture)
    const secret = randomBytes(16)
    const jwe = await this.#standIn(named, secret).encrypt()
    const first = named.findIndex(isSmJwe)
    if (first < 0) return jwe
    const isCarried = named[first]?.alg === SGD_SM2_3
    const cek = isCarried
      ? unwrap(secret, jwe.recipients[first]?.encrypted_key)
      : directKey(this.#recipients[first]?.key, 'encrypt')
    return {
      ...jwe,
      ...seal(jwe, named[first] as Algorithms, isCarried ? cek : secret, cek),
      recipients: jwe.recipients.map((member, index) => {
        if (!isSmJwe(named[index] as Algorithms)) return member
        const { key } = this.#recipients[index] as Recipient
        return {
          ...(isCarried && { encrypted_key: encryptKey(key, cek) }),
          ...(member.header && { header: restored(member.header, named[index] as Algorithms) }),
        }
      }),
    }
  }

  /** Upstream's own, told the same under stand-ins; our secret is the key where an SM key will be. */
  #standIn(named: readonly Algorithms[], secret: Uint8Array): upstream.GeneralEncrypt {
    const builder = new upstream.GeneralEncrypt(this.#plaintext)
    if (this.#protected) builder.setProtectedHeader(standIn(this.#protected))
    if (this.#unprotected) builder.setSharedUnprotectedHeader(standIn(this.#unprotected))
    if (this.#aad) builder.setAdditionalAuthenticatedData(this.#aad)
    this.#recipients.forEach(({ key, options, header, parameters }, index) => {
      const recipient = builder.addRecipient(isSmJwe(named[index] as Algorithms) ? secret : key, options)
      if (header) recipient.setUnprotectedHeader(standIn(header))
      if (parameters) recipient.setKeyManagementParameters(parameters)
    })
    return builder
  }
}

/** A recipient as upstream's, remembered until the encryption. */
class Recipient implements UpstreamRecipient {
  readonly #parent: GeneralEncrypt
  readonly key: KeyInput
  readonly options: CritOption | undefined
  header: JWEHeaderParameters | undefined
  parameters: JWEKeyManagementHeaderParameters | undefined

  constructor(parent: GeneralEncrypt, key: KeyInput, options: CritOption | undefined) {
    this.#parent = parent
    this.key = key
    this.options = options
  }

  setUnprotectedHeader(header: JWEHeaderParameters): UpstreamRecipient {
    if (this.header) throw new TypeError('setUnprotectedHeader can only be called once')
    this.header = header
    return this
  }

  setKeyManagementParameters(parameters: JWEKeyManagementHeaderParameters): UpstreamRecipient {
    if (this.parameters) throw new TypeError('setKeyManagementParameters can only be called once')
    this.parameters = parameters
    return this
  }

  addRecipient(key: KeyInput, options?: CritOption): UpstreamRecipient {
    return this.#parent.addRecipient(key, options)
  }

  encrypt(): Promise<GeneralJWE> {
    return this.#parent.encrypt()
  }

  done(): GeneralEncrypt {
    return this.#parent
  }
}

/** As upstream's, for SGD_SM2_3 and SGD_SM4_GCM, and with a `KeyDecrypter` for a key. */
export async function generalDecrypt(
  jwe: GeneralJWE,
  key: DecryptKey,
  options?: DecryptOptions,
): Promise<GeneralDecryptResult & Partial<ResolvedKey>> {
  const { recipients, ...shared } = jwe ?? {}
  const members = Array.isArray(recipients)
    ? recipients.map((member) => ({ ...shared, encrypted_key: member?.encrypted_key, header: member?.header }))
    : []
  if (!members.some((member) => isSmJwe(algorithmsOf(member))))
    return upstream.generalDecrypt(jwe, key as KeyInput, options)
  await checkShape(jwe, options)
  for (const member of members) {
    try {
      return await flattenedDecrypt(member as FlattenedJWE, key, options)
    } catch {
      // not this recipient; upstream tells no more
    }
  }
  throw new JWEDecryptionFailed()
}

/** Has upstream refuse what it refuses before it tries a recipient; a key it is not given. */
async function checkShape(jwe: GeneralJWE, options?: DecryptOptions): Promise<void> {
  const recipients = jwe.recipients.map((member) =>
    member?.header === undefined ? member : { ...member, header: standIn(member.header) },
  )
  const refuse = (): never => {
    throw new JWEDecryptionFailed()
  }
  try {
    await upstream.generalDecrypt({ ...shown(jwe, protectedHeaderOf(jwe.protected)), recipients }, refuse, options)
  } catch (error) {
    if (!(error instanceof JWEDecryptionFailed)) throw error
  }
}
