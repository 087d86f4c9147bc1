/** What a page shows of a step. */
const Card = ({ item }) => <p>{item}</p>;

export default { card: Card };
