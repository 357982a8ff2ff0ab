/** The part of sm-crypto this package calls; the package ships no types. */
declare module 'sm-crypto' {
  const smCrypto: {
    readonly sm2: {
      /** With a hex number: d = (number mod (n − 1)) + 1. Keys are hex, the public one `04‖X‖Y`. */
      generateKeyPairHex(number: string, radix: 16): { privateKey: string; publicKey: string }
      getPublicKeyFromPrivateKey(privateKey: string): string
      /** Hex of r‖s over SM3(ZA ‖ message). */
      doSignature(message: Uint8Array, privateKey: string, options: { hash: true; publicKey?: string }): string
      /** Hex of C1‖C3‖C2 for mode 1. For tests only: its k comes from an RC4 seeded once in a process's life. */
      doEncrypt(message: Uint8Array, publicKey: string, mode: 1): string
      doDecrypt(ciphertext: string, privateKey: string, mode: 1, options: { output: 'array' }): number[]
      doVerifySignature(message: Uint8Array, signature: string, publicKey: string, options: { hash: true }): boolean
    }
    readonly sm4: {
      /** ECB, the default mode; whole blocks only without padding. */
      encrypt(blocks: Uint8Array, key: Uint8Array, options: { padding: 'none'; output: 'array' }): number[]
    }
    /** Hex of SM3(input), or of HMAC-SM3 with a key. */
    readonly sm3: (input: Uint8Array, options?: { mode: 'hmac'; key: Uint8Array }) => string
  }
  export default smCrypto
}
