/** Addresses that a subscriber connects to: `tcp://host:port`, `ipc://path`. libzmq takes
 * "tcp://127.0.0.1:80x" for port 80 and port 99999 for 34463; here both are errors. */
export type Endpoint = {
    scheme: "tcp" | "ipc";
    place: string;
    port: number | null;
};
/**
 * @param {string} address
 * @param {string} where says which setting it came from
 * @returns {Endpoint}
 * @throws {EndpointError} when it is none
 */
export declare function parseEndpoint(address: string, where: string): Endpoint;
/**
 * @param {string} address
 * @param {string} where
 * @returns {Endpoint}
 * @throws {EndpointError} when it is none that can be connected to
 */
export declare function parseReachable(address: string, where: string): Endpoint;
/** @param {Endpoint} endpoint */
export declare function addressOf({ place, port }: Endpoint): string;
/** @param {Endpoint} endpoint */
export declare function isIpv6({ place }: Endpoint): boolean;
/**
 * An announced address as it is from where `records` is the way to the same publisher: one on
 * tcp://0.0.0.0 or behind a tunnel cannot know by what name it is reached.
 *
 * @param {Endpoint} announced
 * @param {Endpoint} records
 * @returns {Endpoint}
 */
export declare function seenThrough(announced: Endpoint, records: Endpoint): Endpoint;
