/** What the settings of the verifiers may not be together, and what production forbids of them, each with its remedy. */
import { isForeign, isForeignFace } from './domestic.ts'
import { isOpenWire, production, type Rule } from './rule.ts'
import type { GatewaySettings } from './sms.ts'
import type { UpstreamSettings } from './upstream.ts'

/** Whether phones and codes would go to this gateway for everybody on the way to read. */
const isOpenGateway = (gateway: GatewaySettings): boolean => {
  if (gateway.kind === 'outbox') return false
  if (gateway.kind === 'smpp' || gateway.kind === 'cmpp') return !gateway.tls && !gateway.privateLine
  // Where the settings name no address, it is the carrier's own.
  return isOpenWire(gateway.url)
}

const hasTwins = (gateways: readonly GatewaySettings[]): boolean =>
  new Set(gateways.map(({ kind, name = kind }) => name)).size < gateways.length

/** Where a platform above the city is asked, and where citizens are sent. */
const addressesOf = (settings: UpstreamSettings): readonly (string | undefined)[] =>
  settings.kind === 'oidc'
    ? [settings.issuer, settings.jwksUri]
    : [settings.signInPage, settings.token.url, settings.userinfo.url]

export const verifierRules: readonly Rule[] = [
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
      Object.values(c.channels).some(({ verifiers }) => verifiers.some((name) => /^(id-card|card-face)$/.test(name))),
    remedy: 'is missing, and a channel reads cards; name the file of the certificates that vouch for terminals',
  },
  {
    path: 'verifiers.idCard.face',
    broken: (c) =>
      c.verifiers.idCard.face === undefined &&
      Object.values(c.channels).some(({ verifiers }) => verifiers.includes('card-face')),
    remedy:
      'is missing, and a channel offers card-face; say who runs the terminals that compare, which models and which threshold count (config/README.md), or take card-face from the channel',
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
]
