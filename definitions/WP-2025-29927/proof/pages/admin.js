export async function getServerSideProps() { return { props: {} } }
export default function Admin() { return <p>the administrator's page</p> }
