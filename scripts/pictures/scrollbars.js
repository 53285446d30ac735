// In place of react-custom-scrollbars-2: a picture does not scroll.
import { createElement } from "react";
export const Scrollbars = ({ children }) => createElement("div", { style: { overflow: "hidden", height: "100%" } }, children);
export default Scrollbars;
