/** Addresses that citizens are sent to, and those they come back to. */
type Values = Readonly<Record<string, string>>

/** An address of the settings with its `{places}` filled in, escaped; what is not given stays out. */
export const filledIn = (template: string, values: Values): string =>
  template.replace(/\{(\w+)\}/g, (_, name: string) => encodeURIComponent(values[name] ?? ''))

/** Where somebody comes back to: the address with the state by which he is known there, and what else he brings. */
export function returnAddress({
  url,
  state,
  ...more
}: { readonly url: string; readonly state: string } & Values): string {
  const address = new URL(url)
  for (const [name, value] of Object.entries({ state, ...more })) address.searchParams.set(name, value)
  return address.href
}
