/** A value inside an answer by its path (`data.accessToken`), as a text; what the settings name and nothing else is read. */

/** Undefined where there is neither a text nor a number nor a truth value at that place. */
export function fieldAt(answer: unknown, path: string): string | undefined {
  const value = path.split('.').reduce<unknown>((at, key) => {
    const isOpen = typeof at === 'object' && at !== null && Object.hasOwn(at, key)
    return isOpen ? (at as Readonly<Record<string, unknown>>)[key] : undefined
  }, answer)
  return ['string', 'number', 'boolean'].includes(typeof value) ? String(value) : undefined
}

/** The texts at that place: one, or those of a list. */
export function fieldsAt(answer: unknown, path: string): readonly string[] {
  const one = fieldAt(answer, path)
  if (one !== undefined) return [one]
  const found: string[] = []
  for (let place = 0; place < 32; place += 1) {
    const text = fieldAt(answer, `${path}.${place}`)
    if (text === undefined) break
    found.push(text)
  }
  return found
}

/** A platform's code in the trail, where it has the form of one: anything longer might name or number somebody. */
export const codeOf = (code: string | undefined): string =>
  code !== undefined && /^[\w.-]{1,10}$/.test(code) ? `code-${code}` : 'code-unknown'
