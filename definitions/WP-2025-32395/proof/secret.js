export const secret = 'a secret'
