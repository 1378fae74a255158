export default { server: { allowedHosts: true } }
