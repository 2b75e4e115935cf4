/**
 * What a server may say in `rdit/1`, and the shape of each message. Fields that are not known are let through.
 */
export type Check = (value: any) => boolean;
export type Shape = Record<string, Check | {
    optional: Check;
}>;
/**
 * Checks a decoded message of a server.
 *
 * @param {any} message
 * @returns {any} the message
 * @throws {FrameError} `unknown_type` or `bad_message`
 */
export declare function checkServerMessage(message: any): any;
