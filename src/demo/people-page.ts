/** The page on which a demonstrator chooses as whom he signs in at a simulated platform. Synthetic people only. */
import { demoDocument, escaped, type DemoText } from './page.ts'
import type { CastMember } from './cast.ts'

interface Choice {
  readonly name: DemoText
  readonly about: DemoText
  /** Where the form goes. */
  readonly action: string
  /** Sent along. */
  readonly hidden: Readonly<Record<string, string>>
  readonly people: readonly CastMember[]
  /** Further fields, as HTML. */
  readonly fields?: string
}

const hiddenFields = (values: Readonly<Record<string, string>>): string =>
  Object.entries(values)
    .map(([name, value]) => `<input type="hidden" name="${escaped(name)}" value="${escaped(value)}">`)
    .join('')

const heading = ({ zh, en }: DemoText): string =>
  `<h1>${escaped(zh)}</h1><p class="sub">${escaped(en)} · 演示 simulator</p>`

export function peoplePage({ name, about, action, hidden, people, fields = '' }: Choice): string {
  const options = people.map(({ key, name: called }) => `<option value="${key}">${escaped(called)}</option>`).join('')
  return demoDocument(
    name.zh,
    `${heading(name)}<p>${escaped(about.zh)}<br>${escaped(about.en)}</p>
     <form class="people" method="post" action="${escaped(action)}">${hiddenFields(hidden)}
     <p><label for="person">您是 You are</label><br><select id="person" name="person">${options}</select></p>${fields}
     <p><button class="do" name="choice" value="go">确认 Confirm</button></p>
     <p><button class="not" name="choice" value="cancel">取消 Cancel</button></p></form>`,
  )
}

/** Goes on by itself, and by a button where there is no script. */
export function handOverPage(name: DemoText, action: string, values: Readonly<Record<string, string>>): string {
  return demoDocument(
    name.zh,
    `${heading(name)}<form method="post" action="${escaped(action)}">${hiddenFields(values)}
     <p><button class="do">返回继续 Continue</button></p></form><script>document.forms[0].submit()</script>`,
  )
}

/** Only back to the server of this city: a simulator sends nobody elsewhere. */
export const isBack = (address: unknown, issuer: string): address is string =>
  typeof address === 'string' && URL.canParse(address) && new URL(address).origin === issuer
