/** The look of the demo city's applications: plain pages that show what an application learned, and how it was signed. */
import { maskPhone } from '#src/identity/phone.ts'
import { maskNumber } from '#src/identity/id-number.ts'
import type { SignedInCitizen } from './client.ts'

export interface DemoText {
  readonly zh: string
  readonly en: string
}

export const escaped = (text: unknown): string =>
  String(text).replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`)

const style = `
:root{--ink:#1c2430;--quiet:#56606e;--paper:#fff;--shade:#f7f5f2;--hair:#e4dfd8;--accent:#7a3e00;--on:#fff}
@media (prefers-color-scheme:dark){:root{--ink:#eceae6;--quiet:#b5afa6;--paper:#171512;--shade:#211e1a;--hair:#3a352e;--accent:#f0b27a;--on:#171512}}
*{box-sizing:border-box}
body{margin:0 auto;max-width:40rem;padding:2rem 1.25rem;background:var(--paper);color:var(--ink);line-break:strict;
font:1.0625rem/1.6 -apple-system,"PingFang SC","Microsoft YaHei","Noto Sans CJK SC","Plangothic P1","Plangothic P2","SimSun-ExtB",sans-serif}
h1{font-size:1.625rem;line-height:1.35;margin:0}
.sub{color:var(--quiet);margin:.125rem 0 2rem}
dl{margin:0;border-top:1px solid var(--hair)}
dl div{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,13rem),1fr));padding:.625rem 0;border-bottom:1px solid var(--hair)}
summary{min-height:3rem;display:flex;align-items:center;cursor:pointer}code{overflow-wrap:anywhere;font-size:.875rem}
dt{color:var(--quiet)}dd{margin:0;overflow-wrap:anywhere}
.ok{font-weight:600}
a{color:var(--accent);text-underline-offset:.2em}
select,button{font:inherit;min-height:3rem;max-width:100%;padding:.25rem 1rem;border:1px solid var(--quiet);border-radius:.5rem;background:var(--paper);color:var(--ink)}
button{cursor:pointer}
nav{margin-top:1.5rem;display:grid}
nav a,.do{display:flex;align-items:center;min-height:3rem}
.do{justify-content:center;max-width:26rem;padding:.5rem 1.5rem;border-radius:.5rem;background:var(--accent);color:var(--on);font-weight:600;text-decoration:none}
.sms{background:var(--shade);border-radius:.75rem;padding:.875rem 1.125rem;margin:0 0 1rem}
.sms p{margin:0}.sms .sub{font-size:.9375rem}
.people select,.people input{font:inherit;width:100%;max-width:26rem;min-height:3rem;padding:.25rem .75rem;background:var(--paper);color:var(--ink);border:1px solid var(--quiet);border-radius:.5rem}
.people .do,.people .not{font:inherit;width:100%;max-width:26rem;border:0;cursor:pointer}.people .not{min-height:3rem;background:none;color:var(--accent);text-decoration:underline}
:focus-visible{outline:3px solid var(--accent);outline-offset:2px}`

export function demoDocument(title: string, body: string): string {
  return `<!doctype html><html lang="zh-CN"><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1"><meta name="color-scheme" content="light dark">
<title>${escaped(title)}</title><style>${style}</style><body><main>${body}</main></body></html>`
}

interface Shown {
  readonly name: DemoText
  readonly citizen?: SignedInCitizen | undefined
  readonly error?: string
  readonly otherUrl: string
  readonly phoneUrl: string
  readonly phoneLabel?: string
  /** The path under which the application answers. */
  readonly base: string
}

/** Even a demo shows a number and a phone masked. */
function facts({ idToken, algorithm, claims, userinfo }: SignedInCitizen): string {
  const { name, id_number: number, phone_number: phone } = userinfo
  const rows: readonly (readonly [string, unknown])[] = [
    ['姓名 Name', name],
    ['证件号码 ID number', typeof number === 'string' ? maskNumber(number) : undefined],
    ['手机号 Phone', typeof phone === 'string' ? maskPhone(phone) : undefined],
    ['等级 Level', claims['acr']],
    ['方式 Methods', Array.isArray(claims['amr']) ? claims['amr'].join(', ') : undefined],
    ['本应用中的标识 Subject here', claims['sub']],
    ['签名已验证 Signature verified', `✓ ${algorithm}`],
  ]
  const shown = rows
    .filter(([, value]) => value !== undefined)
    .map(([term, value]) => `<div><dt>${term}</dt><dd>${escaped(value)}</dd></div>`)
  // An ID token holds no personal data (DESIGN D7); developers of applications like to see one.
  return `${shown.join('')}<details><summary>ID token</summary><code id="id-token">${escaped(idToken)}</code></details>`
}

export function demoPage({ name, citizen, error, otherUrl, phoneUrl, phoneLabel, base }: Shown): string {
  const body = citizen
    ? `<p>已登录。Signed in.</p><dl id="citizen">${facts(citizen)}</dl>
       <nav><a href="${escaped(otherUrl)}">去另一个应用 The other application</a><a href="${base}/logout">退出登录 Sign out</a></nav>`
    : `${error === undefined ? '' : `<p role="alert">没有登录成功（${escaped(error)}）。 Not signed in.</p>`}
       <p><a class="do" href="${base}/login">用一号登录 Sign in with Yihao</a></p>
       <nav><a href="${escaped(otherUrl)}">去另一个应用 The other application</a><a href="${escaped(phoneUrl)}" target="_blank">${phoneLabel ?? '看短信 The phone'}</a></nav>`
  return demoDocument(
    name.zh,
    `<h1>${escaped(name.zh)}</h1><p class="sub">${escaped(name.en)} · 演示应用 demo application</p>${body}`,
  )
}
