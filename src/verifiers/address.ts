/** An address of the settings with its `{places}` filled in, escaped; what is not given stays out. */
export const filledIn = (template: string, values: Readonly<Record<string, string>>): string =>
  template.replace(/\{(\w+)\}/g, (_, name: string) => encodeURIComponent(values[name] ?? ''))

/** Where somebody comes back to: the address with the state by which he is known there. */
export function returnAddress({ url, state }: { readonly url: string; readonly state: string }): string {
  const address = new URL(url)
  address.searchParams.set('state', state)
  return address.href
}
