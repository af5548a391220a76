/** Keys of CURVE, from the files that `run_stream.py keys new` makes: NAME.key, a pair that only its
 * owner can read, and NAME.pub. A public key is 40 characters of Z85 (ZeroMQ RFC 32). */
export type KeyPair = {
    publicKey: string;
    secretKey: string;
};
export type Lock = KeyPair & {
    serverKey: string;
};
/**
 * The keys of a subscriber and its publisher; null without both.
 *
 * @param {string | KeyPair | null} keys a pair, or the path of a .key file
 * @param {string | null} serverKey a public key, or the path of a .pub file
 * @returns {Lock | null}
 * @throws {AccessError} when one is missing or cannot be used
 */
export declare function readLock(keys: string | KeyPair | null, serverKey: string | null): Lock | null;
