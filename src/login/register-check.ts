/** Asks the population register and waits no longer than a citizen would; unavailable is an answer, never a mismatch. */
import { isAppError } from '#src/errors.ts'
import type { PopulationRegister, RegisterAnswer, RegisterQuery } from '#src/identity/registry.ts'
import { backEndDeadlineMs, within } from '#src/verifiers/deadline.ts'

export type RegisterCheck = (query: RegisterQuery) => Promise<RegisterAnswer | { readonly result: 'unavailable' }>

interface Options {
  readonly timeoutMs?: number
  /** Hears why: the citizen is told only that it is so. */
  readonly onUnavailable?: (error: unknown) => void
}

export function createRegisterCheck(
  register: Pick<PopulationRegister, 'check'>,
  { timeoutMs = backEndDeadlineMs, onUnavailable = () => {} }: Options = {},
): RegisterCheck {
  return async (query) => {
    try {
      return await within(timeoutMs, 'register_unavailable', () => register.check(query))
    } catch (error) {
      if (!isAppError(error, 'register_unavailable')) throw error
      onUnavailable(error)
      return { result: 'unavailable' }
    }
  }
}
