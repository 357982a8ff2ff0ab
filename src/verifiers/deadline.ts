/** How long a back end may take before its silence counts as a failure (facts/security §4: at most 5 s). */
import { AppError, type ErrorCode } from '#src/errors.ts'

export const backEndDeadlineMs = 5_000

/** @throws AppError with `code` when the work has not settled within `ms`; what it does later is ignored */
export async function within<T>(ms: number, code: ErrorCode, work: () => Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new AppError(code, { detail: `no answer within ${ms} ms` })), ms)
  })
  try {
    return await Promise.race([work(), late])
  } finally {
    clearTimeout(timer)
  }
}
