#pragma once
namespace kogrpo {
struct MatmulTile {};
}  // namespace kogrpo
