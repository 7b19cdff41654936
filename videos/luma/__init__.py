"""The provider, AceDataCloud's Luma API. Imports no Django."""
