/** Why a certificate or its chain is not trusted: a stable code on the error, beside its sentence. */

export type CertificateFault = 'malformed' | 'chain' | 'not-yet' | 'expired' | 'usage' | 'algorithm' | 'weak-key'

/** The same error, saying which fault it is about. */
export function withFault<E extends Error>(
  error: E,
  fault: CertificateFault,
): E & { readonly fault: CertificateFault } {
  return Object.assign(error, { fault })
}

export function faultOf(error: unknown): CertificateFault | undefined {
  return error instanceof Error && 'fault' in error ? (error.fault as CertificateFault) : undefined
}
