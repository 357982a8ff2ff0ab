/** What the settings may not be together, and what production forbids (DESIGN D16–D18), each with its remedy. */
import { isIP } from 'node:net'
import { relative, resolve } from 'node:path'
import type { Config } from '../config.ts'
import { isOpenWire, production, type Rule } from './rule.ts'
import { verifierRules } from './verifier-rules.ts'

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

/** Words for a method that no channel offers, or this one does not, are a slip of the pen. */
const areIdle = (words: Config['methods'], verifiers: readonly string[]): boolean =>
  Object.keys(words ?? {}).some((name) => !verifiers.includes(name))

const isInside = (directory: string, kek: Config['keys']['kek']): boolean =>
  kek !== undefined && 'file' in kek && !relative(resolve(directory), resolve(kek.file)).startsWith('..')

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
    path: 'crypto.certified',
    broken: (c) => production(c) && c.crypto.certified === undefined,
    remedy: 'software keys are not certified (未取得商密认证); write "certified": false to accept that',
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
  ...verifierRules,
]
