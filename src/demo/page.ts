/** The look of the demo city's applications: plain pages that show what an application learned, and how it was signed. */
import { maskPhone } from '#src/identity/phone.ts'
import { maskNumber } from '#src/identity/id-number.ts'
import type { SignedInCitizen } from './client.ts'

export interface DemoText {
  readonly zh: string
  readonly en: string
}

const escaped = (text: unknown): string =>
  String(text).replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`)

const style = `
body{font:16px/1.6 system-ui,"Noto Sans CJK SC",sans-serif;max-width:42rem;margin:0 auto;padding:2rem 1rem;color:#1c2430}
h1{font-size:1.5rem;margin:0 0 .25rem}.sub{color:#56606e;margin:0 0 2rem}
dl{display:grid;grid-template-columns:max-content 1fr;gap:.5rem 1.5rem}dt{color:#56606e}dd{margin:0;overflow-wrap:anywhere}
a.do{display:inline-block;background:#7a3e00;color:#fff;padding:.75rem 1.5rem;border-radius:.5rem;text-decoration:none}
nav{margin-top:2rem;display:flex;gap:1.5rem;flex-wrap:wrap}a{color:#7a3e00}`

export function demoDocument(title: string, body: string): string {
  return `<!doctype html><html lang="zh-CN"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>${escaped(title)}</title><style>${style}</style><body>${body}</body></html>`
}

interface Shown {
  readonly name: DemoText
  readonly citizen?: SignedInCitizen | undefined
  readonly error?: string
  readonly otherUrl: string
  readonly phoneUrl: string
}

/** Even a demo shows a number and a phone masked. */
function facts({ algorithm, claims, userinfo }: SignedInCitizen): string {
  const { name, id_number: number, phone_number: phone } = userinfo
  const rows: readonly (readonly [string, unknown])[] = [
    ['姓名 Name', name],
    ['证件号码 ID number', typeof number === 'string' ? maskNumber(number) : undefined],
    ['手机号 Phone', typeof phone === 'string' ? maskPhone(phone) : undefined],
    ['等级 Level', claims['acr']],
    ['方式 Methods', Array.isArray(claims['amr']) ? claims['amr'].join(', ') : undefined],
    ['本应用中的标识 Subject here', claims['sub']],
    ['签名已验证 Signature verified', algorithm],
  ]
  return rows
    .filter(([, value]) => value !== undefined)
    .map(([term, value]) => `<dt>${term}</dt><dd>${escaped(value)}</dd>`)
    .join('')
}

export function demoPage({ name, citizen, error, otherUrl, phoneUrl }: Shown): string {
  const body = citizen
    ? `<p>已登录。Signed in.</p><dl id="citizen">${facts(citizen)}</dl>
       <nav><a href="${escaped(otherUrl)}">去另一个应用 The other application</a><a href="/logout">退出登录 Sign out</a></nav>`
    : `${error === undefined ? '' : `<p role="alert">没有登录成功（${escaped(error)}）。 Not signed in.</p>`}
       <p><a class="do" href="/login">用一号登录 Sign in with Yihao</a></p>
       <nav><a href="${escaped(otherUrl)}">去另一个应用 The other application</a><a href="${escaped(phoneUrl)}" target="_blank">看短信 The phone</a></nav>`
  return demoDocument(
    name.zh,
    `<h1>${escaped(name.zh)}</h1><p class="sub">${escaped(name.en)} · 演示应用 demo application</p>${body}`,
  )
}
