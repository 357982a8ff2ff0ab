/** What the settings may not be together, and what production forbids (DESIGN D16–D18), each with its remedy. */
import { isIP } from 'node:net'
import { relative, resolve } from 'node:path'
import type { Config } from '../config.ts'
import { isForeign, isForeignFace } from './domestic.ts'
import type { GatewaySettings } from './sms.ts'
import type { UpstreamSettings } from './upstream.ts'

/** A rule that spans several settings: where it is broken, what is wrong, what to do. */
export interface Rule {
  readonly path: string
  readonly broken: (config: Config) => boolean
  readonly remedy: string
}

const production = (config: Config) => config.environment === 'production'

/** Names, numbers and codes go there: in production only encrypted, or not over any network. */
const isOpenWire = (url: string | undefined): boolean => {
  if (url === undefined) return false
  const { protocol, hostname } = new URL(url)
  return protocol !== 'https:' && !['localhost', '127.0.0.1', '[::1]'].includes(hostname)
}

/** What the example files say in the place of what only the city knows. */
const placeholders: ReadonlySet<string> = new Set(['https://id.example.gov.cn', '示例市'])

/** Plain http is answered by this server itself, so it must listen at the port that the issuer says. */
const isElsewhere = ({ issuer, listen }: Config): boolean => {
  const { protocol, hostname, port } = new URL(issuer)
  return (
    protocol === 'http:' &&
    hostname === 'localhost' &&
    Number.isInteger(listen.port) &&
    listen.port > 0 &&
    Number(port || 80) !== listen.port
  )
}

/** Whether phones and codes would go to this gateway for everybody on the way to read. */
const isOpenGateway = (gateway: GatewaySettings): boolean => {
  if (gateway.kind === 'outbox') return false
  if (gateway.kind === 'smpp' || gateway.kind === 'cmpp') return !gateway.tls && !gateway.privateLine
  // Where the settings name no address, it is the carrier's own.
  return isOpenWire(gateway.url)
}

const hasTwins = (gateways: readonly GatewaySettings[]): boolean =>
  new Set(gateways.map(({ kind, name = kind }) => name)).size < gateways.length

/** Words for a method that no channel offers, or this one does not, are a slip of the pen. */
const areIdle = (words: Config['methods'], verifiers: readonly string[]): boolean =>
  Object.keys(words ?? {}).some((name) => !verifiers.includes(name))

const isInside = (directory: string, kek: Config['keys']['kek']): boolean =>
  kek !== undefined && 'file' in kek && !relative(resolve(directory), resolve(kek.file)).startsWith('..')

/** Where a platform above the city is asked, and where citizens are sent. */
const addressesOf = (settings: UpstreamSettings): readonly (string | undefined)[] =>
  settings.kind === 'oidc'
    ? [settings.issuer, settings.jwksUri]
    : [settings.signInPage, settings.token.url, settings.userinfo.url]

export const rules: readonly Rule[] = [
  {
    path: 'issuer',
    broken: (c) => production(c) && !c.issuer.startsWith('https:'),
    remedy: 'must be https in production; set the public https address',
  },
  {
    path: 'issuer',
    broken: (c) => !production(c) && c.issuer.startsWith('http:') && new URL(c.issuer).hostname !== 'localhost',
    remedy: 'may be http for localhost only',
  },
  {
    path: 'issuer',
    broken: isElsewhere,
    remedy: 'names another port than listen.port; set both (YIHAO_ISSUER, YIHAO_LISTEN__PORT)',
  },
  {
    path: 'issuer',
    broken: (c) => production(c) && placeholders.has(c.issuer),
    remedy: 'is the placeholder of the example; set the public https address of your city (YIHAO_ISSUER)',
  },
  {
    path: 'city.name.zh',
    broken: (c) => production(c) && placeholders.has(c.city.name.zh),
    remedy: 'is the placeholder of the example; set city.name and the other settings of your city (config/README.md)',
  },
  {
    path: 'demo.enabled',
    broken: (c) => production(c) && c.demo.enabled,
    remedy: 'must be false in production; the demo city is for trying out',
  },
  {
    path: 'register.kind',
    broken: (c) => production(c) && c.register.kind === 'file',
    remedy:
      'the file register holds synthetic people; production needs a real one: set kind to "http", and register.http.url, keyFile and timeout',
  },
  {
    path: 'register.http',
    broken: (c) => c.register.kind === 'http' && c.register.http === undefined,
    remedy: 'is missing; say url, keyFile and timeout of the register',
  },
  {
    path: 'register.http.url',
    broken: (c) => production(c) && isOpenWire(c.register.http?.url),
    remedy: 'must be https in production, but on this machine itself; names and ID numbers go there',
  },
  {
    path: 'verifiers.sms.gateways',
    broken: (c) => production(c) && c.verifiers.sms.gateways.some(({ kind }) => kind === 'outbox'),
    remedy:
      'the outbox shows codes to whoever opens it; production needs real gateways: http, aliyun, tencent, yunmas, smpp or cmpp (config/README.md)',
  },
  {
    path: 'verifiers.voice.gateways',
    broken: (c) => production(c) && c.verifiers.voice.gateways.some(({ kind }) => kind === 'outbox'),
    remedy: 'the outbox shows codes to whoever opens it; production needs a real gateway: http (config/README.md)',
  },
  {
    path: 'verifiers.sms.gateways',
    broken: (c) => production(c) && c.verifiers.sms.gateways.some(isOpenGateway),
    remedy:
      'must be https in production, but on this machine itself; smpp and cmpp need "tls": true or, on a line of the city\'s own, "privateLine": true; phones and codes go there',
  },
  {
    path: 'verifiers.voice.gateways',
    broken: (c) => production(c) && c.verifiers.voice.gateways.some(isOpenGateway),
    remedy: 'must be https in production, but on this machine itself; phones and codes go there',
  },
  {
    path: 'verifiers.sms.gateways',
    broken: (c) => hasTwins(c.verifiers.sms.gateways),
    remedy: 'two of them have one name; give those of one kind different names ("name")',
  },
  {
    path: 'verifiers.voice.gateways',
    broken: (c) => hasTwins(c.verifiers.voice.gateways),
    remedy: 'two of them have one name; give those of one kind different names ("name")',
  },
  {
    path: 'verifiers.voice.gateways',
    broken: (c) =>
      c.verifiers.voice.gateways.length === 0 &&
      Object.values(c.channels).some(({ verifiers }) => verifiers.includes('voice')),
    remedy: 'is empty, and a channel offers voice; name a gateway, or take voice from the channel',
  },
  {
    path: 'verifiers.idCard.roots',
    broken: (c) =>
      c.verifiers.idCard.roots === undefined &&
      Object.values(c.channels).some(({ verifiers }) => verifiers.includes('id-card')),
    remedy: 'is missing, and a channel offers id-card; name the file of the certificates that vouch for terminals',
  },
  {
    path: 'verifiers.idCard.agent',
    broken: (c) => isOpenWire(c.verifiers.idCard.agent),
    remedy: 'must be https, but on the terminal itself (http://127.0.0.1:17080); cards are read there',
  },
  {
    path: 'verifiers.certificate',
    broken: (c) =>
      c.verifiers.certificate === undefined &&
      Object.values(c.channels).some(({ verifiers }) => verifiers.includes('certificate')),
    remedy: 'is missing, and a channel offers certificates; name the authorities, or take certificate from the channel',
  },
  {
    path: 'verifiers.ctid',
    broken: (c) =>
      c.verifiers.ctid === undefined &&
      Object.values(c.channels).some(({ verifiers }) => verifiers.some((name) => /^ctid(-face)?$/.test(name))),
    remedy: 'is missing, and a channel offers it; say where the national service is, or take it from the channel',
  },
  {
    path: 'verifiers.ctid.url',
    broken: (c) => production(c) && isOpenWire(c.verifiers.ctid?.url),
    remedy: 'must be https in production, but on this machine itself; credentials and faces go there',
  },
  {
    path: 'verifiers.ctid.app',
    broken: (c) => production(c) && isOpenWire(c.verifiers.ctid?.app),
    remedy: 'must be https in production, but on this machine itself; citizens are sent there',
  },
  {
    path: 'verifiers.upstream',
    broken: (c) =>
      production(c) &&
      Object.values(c.verifiers.upstream).some((one) => addressesOf(one).some((address) => isOpenWire(address))),
    remedy: 'must be https in production, but on this machine itself; names and ID numbers come from there',
  },
  {
    path: 'verifiers.upstream',
    broken: (c) =>
      Object.values(c.verifiers.upstream).some(
        (one) => one.kind === 'oidc' && new URL(one.issuer).origin === new URL(c.issuer).origin,
      ),
    remedy: 'names this server itself as its platform; nobody can be proven by a circle',
  },
  {
    path: 'verifiers.upstream',
    broken: (c) => c.crypto.policy === 'sm-only' && Object.values(c.verifiers.upstream).some(isForeign),
    remedy:
      'crypto.policy is sm-only: take SGD_SM3_SM2 of a platform by oidc, and sign to one by ticket with hmac-sm3, or take it out',
  },
  {
    path: 'verifiers.own',
    broken: (c) =>
      production(c) && Object.values(c.verifiers.own).some((own) => own.kind === 'http' && isOpenWire(own.url)),
    remedy: 'must be https in production, but on this machine itself; names and ID numbers go there',
  },
  {
    path: 'verifiers.own',
    broken: (c) => production(c) && Object.values(c.verifiers.own).some(({ leavesTo }) => leavesTo?.some(isOpenWire)),
    remedy: 'a citizen may be sent to https alone in production ("leavesTo")',
  },
  {
    path: 'crypto.certified',
    broken: (c) => production(c) && c.crypto.certified === undefined,
    remedy: 'software keys are not certified (未取得商密认证); write "certified": false to accept that',
  },
  {
    path: 'verifiers.face.service.url',
    broken: (c) => production(c) && isOpenWire(c.verifiers.face?.service.url),
    remedy: 'must be https in production, but on this machine itself; names and ID numbers go there',
  },
  {
    path: 'verifiers.face.service',
    broken: (c) => c.crypto.policy === 'sm-only' && isForeignFace(c.verifiers.face?.service),
    remedy: 'crypto.policy is sm-only: take http, or aliyun with ACS3-HMAC-SM3; tencent signs with SHA-256 alone',
  },
  {
    path: 'verifiers.face',
    broken: (c) =>
      c.verifiers.face === undefined && Object.values(c.channels).some(({ verifiers }) => verifiers.includes('face')),
    remedy: 'is missing; a channel offers "face": say which service compares faces and who that is (config/README.md)',
  },
  {
    path: 'keys.kek',
    broken: (c) => production(c) && c.keys.kek === undefined,
    remedy:
      'production seals its keys under a key-encryption key kept elsewhere; name its file, environment variable or command (keys/README.md)',
  },
  {
    path: 'keys.kek.file',
    broken: (c) => production(c) && isInside(c.keys.directory, c.keys.kek),
    remedy: 'may not be inside keys.directory in production: a copy of that directory would hold both',
  },
  {
    path: 'keys.pkcs11.signers',
    broken: (c) => {
      const algs = c.keys.pkcs11?.signers.map(({ alg }) => alg) ?? []
      return new Set(algs).size < algs.length
    },
    remedy: 'names two keys of one algorithm; one of them signs, so name that one',
  },
  {
    path: 'channels',
    broken: (c) => Object.values(c.channels).some(({ session }) => session.idle > session.absolute),
    remedy: 'a session may not be idle for longer than it lasts; lower session.idle',
  },
  {
    path: 'channels',
    broken: (c) =>
      isIP(new URL(c.issuer).hostname.replace(/^\[|\]$/g, '')) !== 0 &&
      Object.values(c.channels).some(({ verifiers }) => verifiers.includes('passkey')),
    remedy: 'passkeys belong to a host name, and the issuer is an address; name one, or take "passkey" out',
  },
  {
    path: 'channels',
    broken: (c) => Object.values(c.channels).some(({ methods, verifiers }) => areIdle(methods, verifiers)),
    remedy: 'has words ("methods") for a way that the channel does not offer; name one of its verifiers',
  },
  {
    path: 'methods',
    broken: (c) =>
      areIdle(
        c.methods,
        Object.values(c.channels).flatMap(({ verifiers }) => verifiers),
      ),
    remedy: 'has words for a way that no channel offers; name one of their verifiers',
  },
  {
    path: 'tokens.refreshTokenIdle',
    broken: (c) => c.tokens.refreshTokenIdle > c.tokens.refreshToken,
    remedy: 'may not be longer than tokens.refreshToken; lower it',
  },
  {
    path: 'channels.web',
    broken: (c) => c.channels['web'] === undefined,
    remedy: 'the web channel is missing; applications that name no channel use it',
  },
]
