/**
 * The SM seam: the one file that reaches into the engine, so that it signs and verifies with `SGD_SM3_SM2` (GM/T 0125)
 * beside the standard algorithms. The engine stays unpatched on disk; `test/oidc/sm.test.ts` fails loudly when its
 * internals move. Every other file of this room uses the engine's public face.
 */
import { timingSafeEqual } from 'node:crypto'
import { sm3 } from 'jose'
import * as jwa from 'oidc-provider/lib/consts/jwa.js'
import KeyStore from 'oidc-provider/lib/helpers/keystore.js'
import instance from 'oidc-provider/lib/helpers/weak_cache.js'
import { Provider, type Client, type Configuration } from 'oidc-provider'
import type { Stated } from '#src/crypto/keys.ts'
import type { Signer } from '#src/crypto/signer.ts'
import type { Application } from './application.ts'
import { applicationOf, bindApplication } from './clients.ts'
import { SigningKey } from './signing-key.ts'
import { publishSmKeys } from './sm-keys.ts'

const sm2Alg = 'SGD_SM3_SM2'
const sm2Curve = 'sm2p256v1'

/** The lists of the engine that SM2 signatures belong to. */
const signingLists = [
  'clientAuthSigningAlgValues',
  'dPoPSigningAlgValues',
  'idTokenSigningAlgValues',
  'userinfoSigningAlgValues',
] as const

/** What the engine may sign and verify under a policy: its `enabledJWA`. */
export function enabledAlgorithms(smOnly: boolean): NonNullable<Configuration['enabledJWA']> {
  const algorithms = smOnly ? [sm2Alg] : [sm2Alg, 'ES256', 'RS256', 'PS256', 'EdDSA', 'Ed25519']
  return Object.fromEntries(signingLists.map((list) => [list, algorithms])) as NonNullable<Configuration['enabledJWA']>
}

/**
 * Process-wide, once: the engine's lists learn the name, its key stores keep SM2 and the NIST curves apart, and sign with
 * none of our keys but the active ones.
 */
function teachEngine(): void {
  for (const list of signingLists) {
    const names = jwa[list]
    if (!names) throw new Error(`the engine has no list ${list}: its internals moved`)
    if (!names.includes(sm2Alg)) names.push(sm2Alg)
  }
  for (const method of ['selectForSign', 'selectForVerify'] as const) {
    const original = KeyStore.prototype[method]
    if (original.name === 'selectWithSm') continue
    KeyStore.prototype[method] = function selectWithSm(options) {
      const all =
        options.alg === sm2Alg
          ? original.call(this, { ...options, kty: 'EC', crv: sm2Curve })
          : original.call(this, options).filter((key) => key.crv !== sm2Curve)
      return method === 'selectForSign' ? all.filter((key) => !(key instanceof SigningKey) || key.active) : all
    }
  }
}

teachEngine()

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
    override async issue(options: IssueOptions): Promise<string> {
      const { client, extra } = this
      if (options.use !== 'idtoken' || client.idTokenSignedResponseAlg !== sm2Alg) return super.issue(options)
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

const isSm2Key = (key: { readonly kty?: unknown; readonly crv?: unknown }) => key.kty === 'EC' && key.crv === sm2Curve

/** Gives a new client instance its SM2 keys, which the engine drops, and the comparison of its hashed secret. */
function teachClient(client: Client, application: Application): void {
  const { credential } = application
  if ('jwks' in credential) {
    const store = (client as unknown as { asymmetricKeyStore: KeyStore }).asymmetricKeyStore
    for (const key of credential.jwks.keys.filter(isSm2Key)) store.add({ ...key })
  }
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
  readonly findApplication: (id: string) => Promise<Application | undefined>
  /** Replaces the engine's one-try logout notice (engine trap 3). */
  readonly onLogoutNotice: (client: Client, subject: string, sid: string | undefined) => Promise<void>
  /** Told before a session is destroyed. */
  readonly onSessionEnd: (uid: string) => Promise<void>
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
    if (applicationOf(client) === undefined) teachClient(client, application)
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

  const { keystore, jwks, configuration } = instance(provider)
  const sm = parts.signers.filter(({ key }) => key.alg === sm2Alg)
  for (const signer of sm) keystore.add(new SigningKey(signer))
  const published = sm.map(({ key }) => ({ ...key.publicJwk }))
  const beside = standard.length > 0
  if (!beside) jwks.keys.unshift(...published)
  publishSmKeys(provider, published, beside)
  if (sm.length > 0) {
    for (const list of ['idTokenSigningAlgValues', 'userinfoSigningAlgValues']) configuration[list]?.unshift(sm2Alg)
  }
  return provider
}
