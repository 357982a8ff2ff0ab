/**
 * The SM seam: the one file that reaches into the engine, so that it signs and verifies with `SGD_SM3_SM2` and encrypts
 * with `SGD_SM2_3` (GM/T 0125) beside the standard algorithms. The engine stays unpatched on disk; `test/oidc/sm.test.ts`
 * fails loudly when its internals move. Every other file of this room uses the engine's public face.
 */
import { timingSafeEqual } from 'node:crypto'
import { sm3 } from 'jose'
import * as jwa from 'oidc-provider/lib/consts/jwa.js'
import KeyStore from 'oidc-provider/lib/helpers/keystore.js'
import instance from 'oidc-provider/lib/helpers/weak_cache.js'
import { Provider, type Client, type Configuration } from 'oidc-provider'
import type { Stated } from '#src/crypto/keys.ts'
import type { Decrypter } from '#src/crypto/decrypter.ts'
import type { Signer } from '#src/crypto/signer.ts'
import type { Application } from './application.ts'
import type { ClientKeySets } from './client-key-sets.ts'
import { giveKeys, keyBehind } from './client-key-store.ts'
import { respelt, sm2Aliases, spelling } from './dialect.ts'
import { applicationOf, bindApplication } from './clients.ts'
import { contentEncryption, keyManagement } from './encryption.ts'
import { DecryptionKey } from './decryption-key.ts'
import { SigningKey } from './signing-key.ts'
import { publishSmKeys } from './sm-keys.ts'

const sm2Alg = 'SGD_SM3_SM2'
const sm2Curve = 'sm2p256v1'

const sm2Encryption = 'SGD_SM2_3'
const sm4Encryption = 'SGD_SM4_GCM'

/** Whose signatures the engine makes, and those of applications that it verifies. */
const ownSignatures = ['idToken', 'userinfo', 'introspection', 'authorization'] as const
const applicationSignatures = ['clientAuth', 'dPoP', 'requestObject'] as const
const encrypted = ['idToken', 'userinfo', 'introspection', 'authorization', 'requestObject'] as const

const lists = {
  signing: [...ownSignatures, ...applicationSignatures].map((name) => `${name}SigningAlgValues`),
  encryption: encrypted.map((name) => `${name}EncryptionAlgValues`),
  contentEncryption: encrypted.map((name) => `${name}EncryptionEncValues`),
}

/** What the engine may sign, verify and encrypt with under a policy: its `enabledJWA`. */
export function enabledAlgorithms(smOnly: boolean): NonNullable<Configuration['enabledJWA']> {
  const others = smOnly ? [] : ['ES256', 'RS256', 'PS256', 'EdDSA', 'Ed25519']
  const standard = smOnly ? { alg: [], enc: [] } : { alg: Object.keys(keyManagement), enc: [...contentEncryption] }
  return Object.fromEntries([
    ...lists.signing.map((list) => [list, [sm2Alg, ...others]]),
    ...lists.encryption.map((list) => [list, [...new Set([sm2Encryption, ...standard.alg])]]),
    ...lists.contentEncryption.map((list) => [list, [...new Set([sm4Encryption, ...standard.enc])]]),
    // We hold an SM2 key for what is encrypted to us, and no other.
    ['requestObjectEncryptionAlgValues', [sm2Encryption]],
    ['requestObjectEncryptionEncValues', [sm4Encryption]],
  ]) as NonNullable<Configuration['enabledJWA']>
}

function addTo(list: string, name: string): void {
  const names = jwa[list]
  if (!names) throw new Error(`the engine has no list ${list}: its internals moved`)
  if (!names.includes(name)) names.push(name)
}

/**
 * Process-wide, once: the engine's lists learn the names, its key stores keep SM2 and the NIST curves apart, and sign with
 * none of our keys but the active ones.
 */
function teachEngine(): void {
  for (const list of lists.signing) addTo(list, sm2Alg)
  for (const list of lists.encryption) addTo(list, sm2Encryption)
  for (const list of lists.contentEncryption) addTo(list, sm4Encryption)
  const methods = ['selectForSign', 'selectForVerify', 'selectForEncrypt', 'selectForDecrypt'] as const
  for (const method of methods) {
    const original = KeyStore.prototype[method]
    if (original.name === 'selectWithSm') continue
    KeyStore.prototype[method] = function selectWithSm(options) {
      const alias = sm2Aliases.has(options.alg)
      const sm = alias || options.alg === sm2Alg || options.alg === sm2Encryption
      const select = (alg: string) => original.call(this, sm ? { ...options, alg, kty: 'EC', crv: sm2Curve } : options)
      // Our own keys go by the standard name, whatever an application's library calls them.
      const own = alias ? select(sm2Alg).filter((key) => key instanceof SigningKey) : []
      const all = [...own, ...select(options.alg)].filter((key) => (key.crv === sm2Curve) === sm)
      return method === 'selectForSign' ? all.filter((key) => !(key instanceof SigningKey) || key.active) : all
    }
  }
}

/** Process-wide, once: a key whose tokens are spelt in a dialect is handed over as such. */
function teachKeyStore(): void {
  const original = KeyStore.prototype.getKeyObject
  if (original.name === 'getSpokenKey') return
  KeyStore.prototype.getKeyObject = function getSpokenKey(entry, getPublic) {
    return keyBehind(entry) ?? original.call(this, entry, getPublic)
  }
}

teachEngine()
teachKeyStore()

const isSm2 = (alg = ''): boolean => alg === sm2Alg || sm2Aliases.has(alg)

interface IssueOptions {
  readonly use: string
  readonly expiresAt?: number | null
}

/** The parts of the engine's IdToken that the seam touches. */
interface IdToken {
  readonly extra: Record<string, unknown>
  readonly client: Client
  readonly ctx: unknown
  issue(options: IssueOptions): Promise<string>
}
interface IdTokenClass {
  new (available: object, options: object): IdToken
  expiresIn(ctx: unknown, token: IdToken, client: Client): number
  validate(jwt: string, client: Client): Promise<unknown>
}

/** The client with its ID-token settings where the engine looks for those of userinfo. */
const signsUserinfoAsIdToken = (client: Client): Client =>
  Object.create(client, {
    userinfoSignedResponseAlg: { value: client.idTokenSignedResponseAlg },
    userinfoEncryptedResponseAlg: { value: client.idTokenEncryptedResponseAlg },
    userinfoEncryptedResponseEnc: { value: client.idTokenEncryptedResponseEnc },
  }) as Client

/**
 * For an SM alg the engine has no hash and refuses to sign an ID token. So the hashes are made here, of SM3, and the
 * engine signs the token the way it signs a userinfo answer: same header and claims, without its own hashing.
 */
function teachIdToken(Base: IdTokenClass): IdTokenClass {
  // The engine looks the lifetime up by the name of the class.
  return class IdToken extends Base {
    override issue(options: IssueOptions): Promise<string> {
      return spelling(applicationOf(this.client)?.dialect, () => this.issueSpelt(options))
    }

    static override validate(jwt: string, client: Client): Promise<unknown> {
      return super.validate(respelt(jwt, applicationOf(client)?.dialect), client)
    }

    async issueSpelt(options: IssueOptions): Promise<string> {
      const { client, extra } = this
      if (options.use !== 'idtoken' || !isSm2(client.idTokenSignedResponseAlg)) return super.issue(options)
      for (const claim of ['at_hash', 'c_hash', 's_hash']) {
        const value = extra[claim]
        if (typeof value === 'string') extra[claim] = sm3(Buffer.from(value)).subarray(0, 16).toString('base64url')
      }
      const now = Math.floor(Date.now() / 1000)
      const expiresAt = options.expiresAt ?? now + IdToken.expiresIn(this.ctx, this, client)
      const view = Object.create(this, { client: { value: signsUserinfoAsIdToken(client) } }) as this
      return super.issue.call(view, { use: 'userinfo', expiresAt })
    }
  }
}

/** Gives a new client instance the comparison of its hashed secret. */
function teachClient(client: Client): void {
  Object.defineProperty(client, 'compareClientSecret', {
    value: (actual: string): boolean => {
      const now = applicationOf(client)?.credential
      if (!now || !('secretSm3' in now)) return false
      return timingSafeEqual(sm3(Buffer.from(actual)), Buffer.from(now.secretSm3, 'hex'))
    },
  })
}

export interface SmProviderParts {
  readonly issuer: string
  readonly configuration: Configuration
  /** The active key of an algorithm before the others. */
  readonly signers: readonly Stated<Signer>[]
  readonly decrypters: readonly Stated<Decrypter>[]
  readonly findApplication: (id: string) => Promise<Application | undefined>
  /** Replaces the engine's one-try logout notice (engine trap 3). */
  readonly onLogoutNotice: (client: Client, subject: string, sid: string | undefined) => Promise<void>
  /** Told before a session is destroyed. */
  readonly onSessionEnd: (uid: string) => Promise<void>
  readonly keySets: ClientKeySets
  readonly smOnly: boolean
  readonly now: () => number
  /** The acr an application may be told (engine trap 6). */
  readonly acrFor: (application: Application | undefined, acr: string | undefined) => string | undefined
}

interface ClientClass {
  find(id: string): Promise<Client | undefined>
  readonly prototype: { backchannelLogout(subject: string, sid?: string): Promise<void> }
}

function teachClientClass(Client: ClientClass, parts: SmProviderParts): ClientClass {
  const find = Client.find.bind(Client)
  Client.find = async (id) => {
    const [client, application] = await Promise.all([find(id), parts.findApplication(id)])
    if (!client || !application) return undefined
    if (applicationOf(client) === undefined) teachClient(client)
    await giveKeys(client, application, parts)
    bindApplication(client, application)
    return client
  }
  Client.prototype.backchannelLogout = function (this: Client, subject, sid) {
    return parts.onLogoutNotice(this, subject, sid)
  }
  return Client
}

interface SessionClass {
  new (payload?: object): { readonly uid: string; destroy(): Promise<void> }
}

/** A session that ends leaves its mark first, so that no request in flight writes it again. */
function teachSession(Base: SessionClass, parts: SmProviderParts): SessionClass {
  // The engine names its models by their class.
  return class Session extends Base {
    override async destroy(): Promise<void> {
      await parts.onSessionEnd(this.uid)
      await super.destroy()
    }
  }
}

interface ContextClass {
  new (ctx: object): { readonly acr: string | undefined; readonly client: Client | undefined }
}

function teachContext(Base: ContextClass, parts: SmProviderParts): ContextClass {
  class OIDCContext extends Base {}
  const engine = Object.getOwnPropertyDescriptor(Base.prototype, 'acr')
  Object.defineProperty(OIDCContext.prototype, 'acr', {
    get(this: InstanceType<ContextClass>) {
      return parts.acrFor(applicationOf(this.client), engine?.get?.call(this) as string | undefined)
    },
  })
  return OIDCContext
}

function engineOf(provider: Provider) {
  const { keystore, jwks, configuration } = instance(provider)
  const { clientAuthMethods, ...lists } = configuration
  return { keystore, jwks, clientAuthMethods, configuration: lists as Record<string, string[]> }
}

/** The engine with SM2 in it. */
export function createSmProvider(parts: SmProviderParts): Provider {
  class SmProvider extends Provider {}

  /** The engine makes each of its classes at first use, behind a getter: so do we, on top of it. */
  const teach = <T>(name: 'IdToken' | 'Client' | 'OIDCContext' | 'Session', teacher: (original: T) => T): void => {
    let taught: T | undefined
    Object.defineProperty(SmProvider.prototype, name, {
      get(this: Provider): T {
        return (taught ??= teacher(Reflect.get(Provider.prototype, name, this) as T))
      },
    })
  }
  teach<IdTokenClass>('IdToken', teachIdToken)
  teach<ClientClass>('Client', (Client) => teachClientClass(Client, parts))
  teach<SessionClass>('Session', (Session) => teachSession(Session, parts))
  teach<ContextClass>('OIDCContext', (Context) => teachContext(Context, parts))

  const standard = parts.signers.filter(({ key }) => key.alg !== sm2Alg)
  const provider = new SmProvider(parts.issuer, {
    ...parts.configuration,
    jwks: { keys: standard.map((signer) => new SigningKey(signer)) },
  })

  const { keystore, jwks, configuration, clientAuthMethods } = engineOf(provider)
  // The engine takes the method out where it knows none of the algorithms for a signature.
  if (new Set(parts.configuration.clientAuthMethods).has('private_key_jwt')) clientAuthMethods.add('private_key_jwt')
  for (const name of ['clientAuth', 'requestObject']) configuration[`${name}SigningAlgValues`]?.push(...sm2Aliases)
  const sm = parts.signers.filter(({ key }) => key.alg === sm2Alg)
  for (const signer of sm) keystore.add(new SigningKey(signer))
  for (const { key } of parts.decrypters) keystore.add(new DecryptionKey(key))
  // A retired key still opens what was encrypted to it, but nobody is to use it any more.
  const toUs = parts.decrypters.filter(({ state }) => state !== 'retired')
  const published = [...sm, ...toUs].map(({ key }) => ({ ...key.publicJwk }))
  const beside = standard.length > 0
  if (!beside) jwks.keys.unshift(...published)
  publishSmKeys(provider, published, beside)
  if (sm.length > 0) {
    for (const name of ownSignatures) configuration[`${name}SigningAlgValues`]?.unshift(sm2Alg, ...sm2Aliases)
  }
  if (toUs.length > 0) configuration['requestObjectEncryptionAlgValues']?.push(sm2Encryption)
  return provider
}
