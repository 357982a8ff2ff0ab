/** The part of sm-crypto this package calls; the package ships no types. */
declare module 'sm-crypto' {
  const smCrypto: {
    readonly sm2: {
      /** With a hex number: d = (number mod (n − 1)) + 1. Keys are hex, the public one `04‖X‖Y`. */
      generateKeyPairHex(number: string, radix: 16): { privateKey: string; publicKey: string }
      getPublicKeyFromPrivateKey(privateKey: string): string
      /** Hex of r‖s over SM3(ZA ‖ message). */
      doSignature(message: Uint8Array, privateKey: string, options: { hash: true; publicKey?: string }): string
      doVerifySignature(message: Uint8Array, signature: string, publicKey: string, options: { hash: true }): boolean
    }
    /** Hex of SM3(input), or of HMAC-SM3 with a key. */
    readonly sm3: (input: Uint8Array, options?: { mode: 'hmac'; key: Uint8Array }) => string
  }
  export default smCrypto
}
