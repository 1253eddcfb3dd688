// The fonts of the reader's system: the theme's own would be 200 kB for the same text.
import theme from 'vitepress/theme-without-fonts';
import './style.css';

export default theme;
